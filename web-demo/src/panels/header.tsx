/** Which map this is, and what can be done with it as a whole. */
import {
  ArrowLeft,
  Camera,
  Download,
  FilePlus,
  FileText,
  FolderPlus,
  FolderUp,
  HardDrive,
  Keyboard,
  MonitorDown,
  MoreHorizontal,
  PanelLeft,
  PanelRight,
  PencilLine,
  Plus,
  ShieldCheck,
  type LucideIcon,
} from 'lucide-preact';

import { Logo } from '../components/logo';
import { openMenuBelow, type MenuItem } from '../components/menu';
import type { OpenMap } from '../engine/contract';
import { changeable, currentDirectory } from '../state/choose';
import { dialog } from '../state/dialogs';
import { downloadMap, newFile, newFolder } from '../state/files';
import { bringIn } from '../state/importing';
import { withFolder } from '../state/feed';
import { install, installable } from '../state/install';
import { editCopy, leave } from '../state/leaving';
import { takeSnapshot } from '../state/snapshots';
import { bytes, shown } from '../state/text';
import { snapshot } from '../state/view';
import { overlay, room } from '../state/window';
import { useChoosers } from './choosers';
import { Search } from './search';
import { ThemeSwitch } from './theme-switch';
import '../style/header.css';

export function Header({ map }: { map: OpenMap }) {
  const choosers = useChoosers('add', (incoming) =>
    bringIn(withFolder(incoming), currentDirectory.value),
  );
  const canChange = changeable.value;
  const narrow = room.value === 'narrow';
  const add: MenuItem[] = [
    { label: 'Add files', icon: FilePlus, hint: 'Copied into this map', action: choosers.files },
    {
      label: 'Add a folder',
      icon: FolderUp,
      hint: 'With everything in it',
      action: choosers.folder,
    },
    {
      label: 'New folder',
      icon: FolderPlus,
      action: () => newFolder(currentDirectory.value),
    },
    { label: 'New text file', icon: FileText, action: () => newFile(currentDirectory.value) },
  ];
  const downloads: MenuItem[] = [
    {
      label: 'As it is',
      icon: Download,
      hint: `Live form: can be changed in place${liveSize(map)}`,
      action: () => downloadMap('live'),
    },
    {
      label: 'Packed',
      icon: Download,
      hint: 'Smaller, for sharing: opens for reading',
      action: () => downloadMap('packed'),
    },
  ];
  const actions: {
    key: string;
    label: string;
    icon: LucideIcon;
    run: () => unknown;
  }[] = [];
  if (canChange) {
    actions.push({ key: 'snapshot', label: 'Snapshot', icon: Camera, run: takeSnapshot });
  }
  if (snapshot.value === null) {
    actions.push({
      key: 'verify',
      label: 'Verify',
      icon: ShieldCheck,
      run: () => (dialog.value = { kind: 'verify' }),
    });
  }
  if (!map.writable) {
    actions.push({ key: 'copy', label: 'Edit a copy', icon: PencilLine, run: editCopy });
  }

  return (
    <header class="header">
      <button
        type="button"
        class="icon-button leave"
        aria-label="Close this map"
        title="Close this map"
        onClick={() => void leave()}
      >
        <ArrowLeft size={16} aria-hidden="true" />
        {!narrow && <Logo size={26} />}
      </button>
      <div class="header-title">
        <h1 title={map.from.address}>{shown(map.title)}</h1>
        <Badges map={map} />
      </div>
      {room.value === 'middle' && <PanelSwitch panel="files" label="Files" icon={PanelLeft} />}
      <Search />
      {!narrow && (
        <div class="header-actions" role="toolbar" aria-label="Map">
          {canChange && (
            <button
              type="button"
              class="button accent"
              aria-haspopup="menu"
              onClick={(event) => openMenuBelow('Add', add, event.currentTarget)}
            >
              <Plus size={16} aria-hidden="true" />
              Add
            </button>
          )}
          {actions.map(({ key, label, icon: Icon, run }) => (
            <button
              key={key}
              type="button"
              class="button quiet tool"
              title={label}
              onClick={() => void run()}
            >
              <Icon size={16} aria-hidden="true" />
              <span>{label}</span>
            </button>
          ))}
          <button
            type="button"
            class="button quiet tool"
            aria-haspopup="menu"
            title="Download"
            onClick={(event) => openMenuBelow('Download', downloads, event.currentTarget)}
          >
            <Download size={16} aria-hidden="true" />
            <span>Download</span>
          </button>
        </div>
      )}
      <div class="header-end">
        {room.value === 'middle' && (
          <PanelSwitch panel="details" label="Details" icon={PanelRight} />
        )}
        {narrow ? (
          <button
            type="button"
            class="icon-button"
            aria-label="Actions"
            aria-haspopup="menu"
            onClick={(event) =>
              openMenuBelow(
                'Actions',
                [
                  ...(canChange ? [...add, 'line' as const] : []),
                  ...actions.map(({ label, icon, run }) => ({ label, icon, action: run })),
                  'line',
                  ...downloads.map((item) => ({
                    ...item,
                    label: `Download ${item.label.toLowerCase()}`,
                  })),
                  'line' as const,
                  { label: 'Maps in this browser', icon: HardDrive, action: showMaps },
                  ...(installable.value
                    ? [{ label: 'Install as an app', icon: MonitorDown, action: install }]
                    : []),
                ],
                event.currentTarget,
              )
            }
          >
            <MoreHorizontal size={20} aria-hidden="true" />
          </button>
        ) : (
          <>
            {installable.value && (
              <button
                type="button"
                class="icon-button"
                aria-label="Install as an app"
                title="Install as an app"
                onClick={() => void install()}
              >
                <MonitorDown size={18} aria-hidden="true" />
              </button>
            )}
            <button
              type="button"
              class="icon-button"
              aria-label="Maps in this browser"
              title="Maps in this browser"
              onClick={showMaps}
            >
              <HardDrive size={18} aria-hidden="true" />
            </button>
            <button
              type="button"
              class="icon-button"
              aria-label="Keyboard"
              title="Keyboard (?)"
              onClick={() => (dialog.value = { kind: 'keys' })}
            >
              <Keyboard size={18} aria-hidden="true" />
            </button>
          </>
        )}
        <ThemeSwitch />
      </div>
      {choosers.inputs}
    </header>
  );
}

function showMaps(): void {
  dialog.value = { kind: 'maps' };
}

function liveSize(map: OpenMap): string {
  const { width, height } = map.info;
  // Four bytes a pixel, and a few for each row: what the file measures, holes included.
  return `, ${bytes(width * height * 4)}`;
}

interface PanelSwitchProps {
  panel: 'files' | 'details';
  label: string;
  icon: LucideIcon;
}

function PanelSwitch({ panel, label, icon: Icon }: PanelSwitchProps) {
  const open = overlay.value === panel;
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      aria-expanded={open}
      aria-controls={`panel-${panel}`}
      onClick={() => (overlay.value = open ? null : panel)}
    >
      <Icon size={18} aria-hidden="true" />
    </button>
  );
}

function Badges({ map }: { map: OpenMap }) {
  const badges: { text: string; why: string }[] = [];
  if (map.info.form === 'packed') {
    badges.push({ text: 'packed', why: 'The small form for sharing; it opens for reading.' });
  } else {
    badges.push({ text: 'live', why: 'The form that is changed in place.' });
  }
  if (map.from.kind === 'url') {
    badges.push({ text: 'remote', why: 'Only the parts you look at are fetched.' });
  }
  if (!map.writable) {
    badges.push({ text: 'read-only', why: 'Use “Edit a copy” to change it in this browser.' });
  }
  if (map.writable && !map.kept) {
    badges.push({
      text: 'in memory',
      why: 'Gone when the page closes: download it to have it again.',
    });
  }
  if (map.recovered) {
    badges.push({
      text: 'recovered',
      why: 'Committed work was found in the log and is there again.',
    });
  }
  return (
    <span class="badges">
      {badges.map(({ text, why }) => (
        <span key={text} class={text === 'in memory' ? 'badge warn' : 'badge'} title={why}>
          {text}
        </span>
      ))}
    </span>
  );
}
