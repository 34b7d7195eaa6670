/** The engine's own reports, as the wasm package types them. */
import type {
  Extent as RawExtent,
  Map as RawMap,
  VerifyReport as RawVerifyReport,
  Zone as RawZone,
} from 'aetherflow-wasm';

export type MapInfo = ReturnType<RawMap['info']>;
export type VerifyReport = RawVerifyReport;
export type Extent = RawExtent;
export type Zone = RawZone;
