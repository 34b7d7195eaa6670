/** Damaging the picture for real, and finding what is damaged. */
import type { OnProgress, VerifyReport } from '../engine/contract';
import type { PlaneKeeper } from './plane';
import { problem } from './problems';
import { Reporter } from './progress';
import type { Session } from './session';

/** Points of one stroke, at most. */
const POINTS = 100_000;

export async function scratch(
  session: Session,
  plane: PlaneKeeper,
  points: [number, number][],
  radius: number,
): Promise<{ pixels: number; clusters: number }> {
  if (points.length === 0) return { pixels: 0, clusters: 0 };
  if (points.length > POINTS) {
    throw problem(
      'EINVAL',
      'invalid',
      'That is too long a scratch.',
      'Scratch in shorter strokes.',
    );
  }
  // What is not yet in the picture would be written over the damage.
  await session.writeHome();
  const { pixels, clusters } = await session.changing('places', ({ raw }) => {
    const hit = raw.damage(Float64Array.from(points.flat()), radius);
    raw.dropCaches();
    return hit;
  });
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const least = (values: number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
  const most = (values: number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
  plane.tell({
    left: Math.floor(least(xs) - radius),
    top: Math.floor(least(ys) - radius),
    right: Math.ceil(most(xs) + radius),
    bottom: Math.ceil(most(ys) + radius),
  });
  session.tell({ type: 'files' });
  return { pixels, clusters: clusters.length };
}

/** Checks everything; what is damaged lights up on the plane. */
export async function verify(
  session: Session,
  plane: PlaneKeeper,
  deep: boolean,
  onProgress: OnProgress | undefined,
): Promise<VerifyReport> {
  // What is kept in memory hides what has become of the picture.
  await session.writeHome();
  const reporter = new Reporter(onProgress);
  const report = await session.alone(() => {
    session.head.raw.dropCaches();
    return Promise.resolve(
      session.head.raw.verify({ deep }, (done, total) => {
        reporter.tell(done, total);
      }),
    );
  });
  plane.markDamaged(
    report.problems.flatMap(({ cluster, severity }) =>
      cluster === undefined || severity === 'harmless' ? [] : [cluster],
    ),
  );
  return report;
}
