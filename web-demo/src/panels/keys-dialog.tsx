/** What the keyboard does. */
import { DialogFrame } from '../components/dialog';
import { PLANE_KEYS } from '../plane/keys';

const GROUPS: { title: string; keys: [string[], string][] }[] = [
  {
    title: 'Anywhere',
    keys: [
      [['/'], 'Search'],
      [['T'], 'Go to the files'],
      [['D'], 'Go to the details'],
      [['P'], 'Go to the plane'],
      [['S'], 'Take a snapshot'],
      [['E'], 'Take up the eraser to scratch the picture, or put it away'],
      [['?'], 'This list'],
      [['Esc'], 'Close what is open'],
    ],
  },
  {
    title: 'Files',
    keys: [
      [['↑', '↓'], 'Previous, next'],
      [['→', '←'], 'Open, close a folder'],
      [['Enter'], 'Choose, and fly there'],
      [['F2'], 'Rename'],
      [['Delete'], 'Delete'],
      [['Shift+F10'], 'What else can be done'],
      [['a … z'], 'Jump to a name'],
    ],
  },
  { title: 'Plane', keys: PLANE_KEYS.map(({ keys, does }) => [keys, does]) },
  {
    title: 'Text and time',
    keys: [
      [['Ctrl+S'], 'Save the text'],
      [['←', '→'], 'On the time line: earlier, later'],
      [['End'], 'On the time line: the present'],
    ],
  },
];

export function KeysDialog({ onClose }: { onClose: () => void }) {
  return (
    <DialogFrame title="Keyboard" onClose={onClose} wide>
      <div class="keys">
        {GROUPS.map(({ title, keys }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([names, what]) => (
                <div key={what}>
                  <dt>
                    {names.map((name) => (
                      <kbd key={name}>{name}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </DialogFrame>
  );
}
