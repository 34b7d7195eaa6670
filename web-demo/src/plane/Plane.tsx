/** The plane: the map over all of its container, and calm small cards at its edges. */
import { useEffect, useRef } from 'preact/hooks';

import { layout, openMap } from '../state/map';
import { ChoiceList } from './ChoiceList';
import { FetchCounter } from './FetchCounter';
import { HoverCard } from './HoverCard';
import { LayerCard } from './LayerCard';
import { Minimap } from './Minimap';
import { PlaceHandle, TargetLabel } from './PlaceHandle';
import { ScaleMark } from './ScaleMark';
import { ScratchBar } from './ScratchBar';
import { raiseSurface } from './surface';
import { ZoomControls } from './ZoomControls';
import './leaflet.css';
import './plane.css';
import './cards.css';

export function Plane() {
  const surface = useRef<HTMLDivElement>(null);
  useEffect(() => (surface.current === null ? undefined : raiseSurface(surface.current)), []);
  return (
    <div class="plane">
      <div
        class="plane-map"
        ref={surface}
        id="plane"
        tabIndex={0}
        role="application"
        aria-roledescription="map"
        aria-label={label()}
        aria-describedby="plane-keys"
      />
      <p id="plane-keys" class="hidden-visually">
        Arrow keys move, with Shift by one cluster. Plus and minus zoom, Home shows the whole plane,
        Enter chooses what lies under the crosshair, 1 to 7 change the layer.
      </p>
      <PlaceHandle />
      <TargetLabel />
      <div class="plane-cards">
        <LayerCard />
        <div class="plane-corner">
          <Minimap />
          <ZoomControls />
        </div>
        <div class="plane-foot">
          <ScaleMark />
          <FetchCounter />
        </div>
        <ScratchBar />
      </div>
      <HoverCard />
      <ChoiceList />
    </div>
  );
}

function label(): string {
  const opened = openMap.value;
  if (opened === null) return 'The plane';
  const sheets = layout.value?.sheets ?? 1;
  return `The plane of ${opened.title}, ${sheets === 1 ? 'one sheet' : `${sheets} sheets`}`;
}
