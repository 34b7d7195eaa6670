/** The brush in the hand: what it does, how large it is, and what it has done. */
import { ShieldAlert, ShieldCheck } from 'lucide-preact';
import { useEffect } from 'preact/hooks';

import { choose } from '../state/choose';
import { count, shown } from '../state/text';
import { brush, tool } from '../state/view';
import { damagedFiles, report, verdict, verifying, verifyMap } from '../state/verify';
import { scratched, scratchedSince } from './scratching';

const SIZES = { min: 1, max: 64 };
const NAMED = 4;

export function ScratchBar() {
  const scratching = tool.value === 'scratch';
  useEffect(() => {
    if (!scratching) return undefined;
    scratched.value = { pixels: 0, clusters: 0 };
    // Escape puts the brush away from wherever the focus is, unless it closes something nearer.
    const press = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && !event.defaultPrevented) tool.value = 'look';
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [scratching]);
  if (!scratching) return null;
  const { clusters } = scratched.value;
  return (
    <section class="plane-card plane-scratch" aria-label="Scratch the picture">
      <p>
        <strong>Every stroke damages the picture for real.</strong>{' '}
        <span class="plane-soft">
          {clusters === 0
            ? 'Scratch a little, then verify: the checksums find it and name the files.'
            : `Scratched so far: ${count(clusters, 'cluster')}.`}
        </span>
      </p>
      <div class="plane-row">
        <label class="plane-row">
          <span>Brush</span>
          <input
            type="range"
            min={SIZES.min}
            max={SIZES.max}
            value={brush.value}
            aria-valuetext={`${brush.value} pixels`}
            onInput={(event) => (brush.value = Number(event.currentTarget.value))}
          />
          <output class="plane-soft">{brush.value} px</output>
        </label>
        <span class="plane-spring" />
        <button
          type="button"
          class="plane-button"
          aria-disabled={verifying.value}
          onClick={() => void verifyMap()}
        >
          {verifying.value ? 'Verifying …' : 'Verify'}
        </button>
        <button type="button" class="plane-button strong" onClick={() => (tool.value = 'look')}>
          Done
        </button>
      </div>
      <Verdict />
    </section>
  );
}

function Verdict() {
  const found = report.value;
  if (found === null || verifying.value) return null;
  const files = damagedFiles.value;
  const sound = found.problems.length === 0;
  const Icon = sound ? ShieldCheck : ShieldAlert;
  return (
    <div class={`plane-verdict ${sound ? 'sound' : 'damaged'}`}>
      <Icon size={16} aria-hidden="true" />
      <div>
        <p>
          {verdict(found)}
          {scratchedSince.value && ' You have scratched since; verify again.'}
        </p>
        {files.length > 0 && (
          <ul class="plane-hit-files">
            {files.slice(0, NAMED).map((path) => (
              <li key={path}>
                <button type="button" onClick={() => void choose(path)}>
                  {shown(path)}
                </button>
              </li>
            ))}
            {files.length > NAMED && (
              <li class="plane-soft">and {count(files.length - NAMED, 'more file')}</li>
            )}
          </ul>
        )}
      </div>
    </div>
  );
}
