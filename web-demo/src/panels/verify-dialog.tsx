/** How thoroughly to verify. */
import { DialogFrame } from '../components/dialog';
import { verifyMap } from '../state/verify';

export function VerifyDialog({ onClose }: { onClose: () => void }) {
  const begin = (deep: boolean) => {
    onClose();
    void verifyMap(deep);
  };
  return (
    <DialogFrame title="Verify the map" onClose={onClose}>
      <p>
        Every cluster has a checksum. Verifying reads them all, and names the files that damage has
        hit. Damaged places light up on the plane.
      </p>
      <div class="choices">
        <button type="button" class="choice" autofocus onClick={() => begin(false)}>
          <strong>Verify</strong>
          <span>Every checksum and every structure.</span>
        </button>
        <button type="button" class="choice" onClick={() => begin(true)}>
          <strong>Verify thoroughly</strong>
          <span>Also decodes every file, with two decoders, and compares. Takes longer.</span>
        </button>
      </div>
    </DialogFrame>
  );
}
