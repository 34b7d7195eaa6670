/** How little of a remote map had to come over the wire. */
import { fetched, openMap } from '../state/map';
import { bytes, count } from '../state/text';

export function FetchCounter() {
  const so = fetched.value;
  // What was fetched for a copy of a remote map is over once the copy is shown.
  if (so === null || openMap.value?.from.kind !== 'url') return null;
  const share = so.total > 0 ? Math.min(so.bytes / so.total, 1) : 0;
  return (
    <div class="plane-card plane-fetched" role="status" aria-live="off">
      <span>
        <strong>{bytes(so.bytes)}</strong> fetched of {bytes(so.total)}
      </span>
      <span class="plane-bar" aria-hidden="true">
        <span style={{ width: `${Math.max(share * 100, 0.5)}%` }} />
      </span>
      <span class="plane-soft">{count(so.requests, 'request')}</span>
    </div>
  );
}
