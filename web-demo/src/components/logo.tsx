/** The mark: a Hilbert curve, the way the clusters of a sheet follow one another. */
const PATH =
  'M7 7L13 7L13 13L7 13L7 19L7 25L13 25L13 19L19 19L19 25L25 25L25 19L25 13L19 13L19 7L25 7';

export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg class="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <path
        d={PATH}
        fill="none"
        stroke="currentColor"
        stroke-width="2.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
