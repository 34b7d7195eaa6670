/** What verify found: all is whole, or which files are hit and what to do. */
import { CircleAlert, CircleCheck, Info, TriangleAlert, type LucideIcon } from 'lucide-preact';

import type { VerifyReport } from '../engine/contract';
import { choose } from '../state/choose';
import { dialog } from '../state/dialogs';
import { bytes, count, number, sentence, shown } from '../state/text';

type Finding = VerifyReport['problems'][number];

const SEVERITY: Record<Finding['severity'], { icon: LucideIcon; title: string; words: string }> = {
  lost: {
    icon: CircleAlert,
    title: 'Lost',
    words: 'These bytes are not what was written. Reading them fails rather than lies.',
  },
  suspect: {
    icon: TriangleAlert,
    title: 'Suspect',
    words: 'Something does not fit; what it concerns may still be read.',
  },
  harmless: {
    icon: Info,
    title: 'Harmless',
    words: 'Nothing of yours is touched; the map mends it by itself or does without.',
  },
};
const ORDER = ['lost', 'suspect', 'harmless'] as const;

export function VerifyResult({ report }: { report: VerifyReport }) {
  const { problems } = report;
  return (
    <div class="list-panel">
      <div class="list-head">
        {problems.length === 0 ? (
          <div class="box good verify-verdict">
            <CircleCheck size={20} aria-hidden="true" />
            <strong>Everything is whole.</strong>
          </div>
        ) : (
          <div class="box warn verify-verdict">
            <TriangleAlert size={20} aria-hidden="true" />
            <strong>
              {report.problemsTruncated ? 'More than ' : ''}
              {count(problems.length, 'problem')} found
            </strong>
          </div>
        )}
        <p class="soft">
          {number(report.clustersChecked)} clusters, {bytes(report.bytesChecked)} read;{' '}
          {count(report.files, 'file')}, {count(report.directories, 'folder')}
          {report.framesDecodedTwice > 0 &&
            `; ${count(report.framesDecodedTwice, 'frame')} decoded twice`}
          .
        </p>
        <div class="list-actions">
          <button
            type="button"
            class="button quiet"
            onClick={() => (dialog.value = { kind: 'verify' })}
          >
            Verify again
          </button>
        </div>
      </div>
      <div class="list-rows plain">
        {ORDER.map((severity) => {
          const found = problems.filter((problem) => problem.severity === severity);
          if (found.length === 0) return null;
          const { icon: Icon, title, words } = SEVERITY[severity];
          return (
            <section key={severity} class={`findings ${severity}`}>
              <h3>
                <Icon size={15} aria-hidden="true" />
                {title} <span class="count">{found.length}</span>
              </h3>
              <p class="soft">{words}</p>
              <ul>
                {together(found)
                  .slice(0, 300)
                  .map(({ problem, places }, index) => (
                    <FindingRow key={index} problem={problem} places={places} />
                  ))}
              </ul>
            </section>
          );
        })}
      </div>
    </div>
  );
}

/** What is said of one file in the same words is said once, with the first place and how many there are. */
function together(found: readonly Finding[]): { problem: Finding; places: number }[] {
  const rows = new Map<string, { problem: Finding; places: number }>();
  for (const problem of found) {
    const key = `${problem.path ?? ''}\n${problem.message}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { problem, places: 1 });
    else row.places += 1;
  }
  return [...rows.values()];
}

function FindingRow({ problem, places }: { problem: Finding; places: number }) {
  const { path, message, advice, offset, cluster } = problem;
  const where = [
    offset === undefined ? '' : `at byte ${number(offset)}`,
    cluster === undefined ? '' : `cluster ${number(cluster)}`,
  ]
    .filter((part) => part !== '')
    .join(', ');
  const text = (
    <span class="list-text">
      {path !== undefined && <strong>{shown(path)}</strong>}
      <span>{sentence(message)}</span>
      {where !== '' && (
        <small>{places > 1 ? `${number(places)} places, first ${where}` : where}</small>
      )}
      {advice !== '' && <small>{sentence(advice)}</small>}
    </span>
  );
  return (
    <li>
      {path === undefined ? (
        <div class="list-row still">{text}</div>
      ) : (
        <button type="button" class="list-row" onClick={() => void choose(path)}>
          {text}
        </button>
      )}
    </li>
  );
}
