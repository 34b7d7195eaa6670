/** The maps of this browser while one is open: to look what takes the room, and to make some. */
import { DialogFrame } from '../components/dialog';
import { StoredMaps } from './stored-maps';

export function MapsDialog({ onClose }: { onClose: () => void }) {
  return (
    <DialogFrame title="Maps in this browser" onClose={onClose}>
      <StoredMaps off={false} aside />
    </DialogFrame>
  );
}
