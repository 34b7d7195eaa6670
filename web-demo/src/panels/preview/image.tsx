/** A file as a picture. */
import { useEffect, useState } from 'preact/hooks';

import type { Details } from '../../engine/contract';
import { bytes as bytesOf, number } from '../../state/text';
import { ProblemBox } from '../problem-box';
import { imageType } from './kinds';
import { useBytes } from './reading';

/** Larger pictures are for downloading: the browser would decode all of it. */
const LIMIT = 64 << 20;

export function ImageView({ found }: { found: Details }) {
  if (found.size > LIMIT) {
    return (
      <p class="soft">{bytesOf(found.size)} is too much to show here. Download it to see it.</p>
    );
  }
  return <Picture found={found} />;
}

function Picture({ found }: { found: Details }) {
  const { bytes, problem } = useBytes(found, LIMIT);
  const [address, setAddress] = useState<string | null>(null);
  const [sides, setSides] = useState<{ width: number; height: number } | null>(null);
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    if (bytes === null) return undefined;
    const type = imageType(found.name) ?? 'application/octet-stream';
    const blob = new Blob([bytes], { type });
    setBroken(false);
    setSides(null);
    if (type.startsWith('image/svg')) {
      // Opened in a tab of its own it is a document with scripts: a data URL gives it no origin.
      const reader = new FileReader();
      reader.onload = () => setAddress(reader.result as string);
      reader.readAsDataURL(blob);
      return () => reader.abort();
    }
    const made = URL.createObjectURL(blob);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [bytes, found.name]);
  if (problem !== null) return <ProblemBox problem={problem} />;
  if (address === null) return <p class="soft">Reading…</p>;
  if (broken) {
    return (
      <p class="soft">The browser cannot read this as a picture. The tab Hex shows its bytes.</p>
    );
  }
  return (
    <figure class="image-view">
      <div class="checkerboard">
        <img
          src={address}
          alt={`Preview of ${found.name}`}
          onLoad={(event) => {
            const { naturalWidth, naturalHeight } = event.currentTarget;
            setSides({ width: naturalWidth, height: naturalHeight });
          }}
          onError={() => setBroken(true)}
        />
      </div>
      {sides !== null && (
        <figcaption class="soft">
          {number(sides.width)} × {number(sides.height)} px
        </figcaption>
      )}
    </figure>
  );
}
