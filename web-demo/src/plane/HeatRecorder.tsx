/** Record, stop, replay, keep: the controls of the heat layer. */
import { signal } from '@preact/signals';
import { Circle, Download, FolderOpen, Play, Square } from 'lucide-preact';

import { count } from '../state/text';
import {
  loadRecording,
  record,
  recorder,
  recording,
  recordingProblem,
  replay,
  saveRecording,
  stop,
} from './recording';

const SPEEDS = [1, 4, 16, 64];
const speed = signal(4);

export function HeatRecorder() {
  const taken = recording.value;
  const busy = recorder.value !== 'idle';
  return (
    <div class="plane-recorder" role="group" aria-label="Record and replay reads">
      <p class="plane-soft">
        {recorder.value === 'recording'
          ? 'Recording what you read …'
          : taken === null
            ? 'Reading a file warms it. Record what you read, and replay it.'
            : `${count(taken.reads.length, 'read')} in ${(taken.duration / 1000).toFixed(1)} s`}
      </p>
      <div class="plane-row">
        {busy ? (
          <button type="button" class="plane-button" onClick={() => void stop()}>
            <Square size={14} aria-hidden="true" /> Stop
          </button>
        ) : (
          <button type="button" class="plane-button" onClick={() => void record()}>
            <Circle size={14} aria-hidden="true" /> Record
          </button>
        )}
        {taken !== null && !busy && (
          <>
            <button type="button" class="plane-button" onClick={() => void replay(speed.value)}>
              <Play size={14} aria-hidden="true" /> Replay
            </button>
            <select
              class="plane-select"
              aria-label="Speed of the replay"
              value={speed.value}
              onChange={(event) => (speed.value = Number(event.currentTarget.value))}
            >
              {SPEEDS.map((each) => (
                <option key={each} value={each}>
                  {each}×
                </option>
              ))}
            </select>
          </>
        )}
        <span class="plane-spring" />
        {taken !== null && (
          <button
            type="button"
            class="plane-tool"
            aria-label="Save the recording"
            title="Save the recording"
            onClick={saveRecording}
          >
            <Download size={16} />
          </button>
        )}
        <label class="plane-tool" title="Load a recording">
          <FolderOpen size={16} aria-hidden="true" />
          <input
            type="file"
            class="hidden-visually"
            aria-label="Load a recording"
            accept="application/json,.json"
            disabled={busy}
            onChange={(event) => {
              const [file] = event.currentTarget.files ?? [];
              event.currentTarget.value = '';
              if (file !== undefined) void loadRecording(file);
            }}
          />
        </label>
      </div>
      {recordingProblem.value !== null && (
        <p class="plane-bad" role="alert">
          {recordingProblem.value}
        </p>
      )}
    </div>
  );
}
