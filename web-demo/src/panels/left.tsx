/** The left panel: files, and lists of paths that a comparison or a verify gave. */
import { useEffect } from 'preact/hooks';

import { late } from '../components/late';
import { Tabs } from '../components/tabs';
import type { OpenMap } from '../engine/contract';
import { report } from '../state/verify';
import { comparison } from '../state/view';
import { leftTab, overlay, room } from '../state/window';
import { Tree } from './tree';
import '../style/left.css';

const Changes = late(() => import('./changes').then((part) => part.Changes));
const VerifyResult = late(() => import('./verify-result').then((part) => part.VerifyResult));

type Tab = 'files' | 'changes' | 'verify';

/** Shows a report or a comparison when it comes. To be called where the left panel may be closed. */
export function useArrivals(): void {
  useEffect(() => {
    const come = (tab: Tab, there: boolean) => {
      if (!there) return;
      leftTab.value = tab;
      if (room.peek() !== 'wide') overlay.value = 'files';
    };
    const stops = [
      report.subscribe((value) => come('verify', value !== null)),
      comparison.subscribe((value) => come('changes', value !== null)),
    ];
    return () => stops.forEach((stop) => stop());
  }, []);
}

export function LeftPanel({ map }: { map: OpenMap }) {
  const compared = comparison.value;
  const verified = report.value;
  const tabs: { key: Tab; label: string; count?: number }[] = [{ key: 'files', label: 'Files' }];
  if (compared !== null) {
    const { added, removed, changed } = compared;
    tabs.push({ key: 'changes', label: 'Changes', count: added + removed + changed });
  }
  if (verified !== null) {
    tabs.push({ key: 'verify', label: 'Verify', count: verified.problems.length });
  }
  const current = tabs.some(({ key }) => key === leftTab.value) ? leftTab.value : 'files';
  return (
    <>
      {tabs.length > 1 && (
        <Tabs
          label="What is listed"
          id="left"
          tabs={tabs}
          current={current}
          onChoose={(key) => (leftTab.value = key)}
        />
      )}
      <div
        class="left-body"
        {...(tabs.length > 1
          ? { role: 'tabpanel', id: 'left-panel', 'aria-labelledby': `left-${current}` }
          : {})}
      >
        {current === 'files' && <Tree map={map} />}
        {current === 'changes' && compared !== null && <Changes comparison={compared} />}
        {current === 'verify' && verified !== null && <VerifyResult report={verified} />}
      </div>
    </>
  );
}
