/** Recording what is read, and reading it again: where the heat comes from. */
import { effect, signal } from '@preact/signals';

import { callback, engine } from '../engine/client';
import type { Recording } from '../engine/contract';
import { openMap } from '../state/map';
import { complain, runTask, tell } from '../state/notices';
import { count } from '../state/text';
import { heed } from '../state/heed';

export const recording = signal<Recording | null>(null);
export const recorder = signal<'idle' | 'recording' | 'replaying'>('idle');
/** Why a file could not be taken as a recording. */
export const recordingProblem = signal<string | null>(null);

effect(() => {
  // A recording can be played on another map, but one that runs ends with its map.
  heed(openMap.value);
  recorder.value = 'idle';
  recordingProblem.value = null;
});

export async function record(): Promise<void> {
  recordingProblem.value = null;
  try {
    await engine.startRecording();
    recorder.value = 'recording';
  } catch (error) {
    complain(error);
  }
}

export async function stop(): Promise<void> {
  try {
    if (recorder.peek() === 'recording') {
      const taken = await engine.stopRecording();
      recording.value = taken;
      tell(`Recorded ${count(taken.reads.length, 'read')}.`);
    } else {
      await engine.stopReplay();
    }
  } catch (error) {
    complain(error);
  } finally {
    recorder.value = 'idle';
  }
}

export async function replay(speed: number): Promise<void> {
  const taken = recording.peek();
  if (taken === null || recorder.peek() !== 'idle') return;
  recorder.value = 'replaying';
  await runTask('Replaying the reads', 'things', (onProgress) =>
    engine.replay(taken, speed, callback(onProgress)),
  );
  if (recorder.peek() === 'replaying') recorder.value = 'idle';
}

export function saveRecording(): void {
  const taken = recording.peek();
  if (taken === null) return;
  const address = URL.createObjectURL(
    new Blob([JSON.stringify(taken)], { type: 'application/json' }),
  );
  const link = document.createElement('a');
  link.href = address;
  link.download = `${taken.map.replace(/[^\w.-]+/g, '-') || 'map'}.reads.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export async function loadRecording(file: File): Promise<void> {
  recordingProblem.value = null;
  try {
    const parsed: unknown = JSON.parse(await file.text());
    if (!isRecording(parsed)) throw new Error('not a recording');
    recording.value = parsed;
    tell(`Loaded ${count(parsed.reads.length, 'read')}.`);
  } catch {
    recordingProblem.value = `${file.name} is no recording of reads.`;
  }
}

function isRecording(value: unknown): value is Recording {
  if (typeof value !== 'object' || value === null) return false;
  const { version, map, duration, reads } = value as Partial<Record<keyof Recording, unknown>>;
  return (
    version === 1 &&
    typeof map === 'string' &&
    typeof duration === 'number' &&
    Array.isArray(reads) &&
    reads.every(
      (read: unknown) =>
        Array.isArray(read) &&
        read.length === 4 &&
        typeof read[1] === 'string' &&
        [read[0], read[2], read[3]].every((part) => typeof part === 'number' && part >= 0),
    )
  );
}
