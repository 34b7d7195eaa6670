/** Two moments to compare. */
import { useState } from 'preact/hooks';

import { ArrowRight } from 'lucide-preact';

import { DialogFrame } from '../components/dialog';
import { compare, snapshotList } from '../state/snapshots';
import { ago } from '../state/text';
import { leftTab } from '../state/window';

/** What stands for the present in the lists; no snapshot has an empty name. */
const PRESENT = '';

interface CompareDialogProps {
  before: string | null;
  after: string | null;
  onClose: () => void;
}

export function CompareDialog({ before, after, onClose }: CompareDialogProps) {
  const [first, setFirst] = useState(before ?? PRESENT);
  const [second, setSecond] = useState(after ?? PRESENT);
  const same = first === second;
  return (
    <DialogFrame title="What changed between" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (same) return;
          onClose();
          leftTab.value = 'changes';
          void compare(first === PRESENT ? null : first, second === PRESENT ? null : second);
        }}
      >
        <div class="compare-choice">
          <MomentSelect label="Before" value={first} onChoose={setFirst} />
          <ArrowRight size={18} aria-hidden="true" />
          <MomentSelect label="After" value={second} onChoose={setSecond} />
        </div>
        <p class="wrong" role="alert">
          {same ? 'Choose two different moments.' : ''}
        </p>
        <footer>
          <button type="button" class="button quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button accent" disabled={same}>
            Compare
          </button>
        </footer>
      </form>
    </DialogFrame>
  );
}

interface MomentSelectProps {
  label: string;
  value: string;
  onChoose: (value: string) => void;
}

function MomentSelect({ label, value, onChoose }: MomentSelectProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {snapshotList.value.map(({ name, created }) => (
          <option key={name} value={name}>
            {name} ({ago(created)})
          </option>
        ))}
        <option value={PRESENT}>the present</option>
      </select>
    </label>
  );
}
