/** A menu beside its button or at a point, in the top layer of the page. */
import { signal } from '@preact/signals';
import type { LucideIcon } from 'lucide-preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

export interface MenuItem {
  label: string;
  icon?: LucideIcon;
  /** A second line that says more. */
  hint?: string;
  danger?: boolean;
  checked?: boolean;
  action: () => unknown;
}

interface OpenMenu {
  label: string;
  items: readonly (MenuItem | 'line')[];
  /** Screen position: the menu opens below and to the right where there is room. */
  x: number;
  y: number;
  /** Where the menu's right edge goes when it would not fit otherwise. */
  right?: number;
  opener: Element | null;
}

const open = signal<OpenMenu | null>(null);

export function openMenuAt(
  label: string,
  items: OpenMenu['items'],
  point: { x: number; y: number },
): void {
  open.value = { label, items, x: point.x, y: point.y, opener: document.activeElement };
}

export function openMenuBelow(label: string, items: OpenMenu['items'], opener: Element): void {
  const { left, right, bottom } = opener.getBoundingClientRect();
  open.value = { label, items, x: left, y: bottom + 4, right, opener };
}

/** Where menus appear; once in the page. */
export function Menus() {
  const current = open.value;
  return current === null ? null : <Menu key={`${current.label}${current.x}`} menu={current} />;
}

function Menu({ menu }: { menu: OpenMenu }) {
  const list = useRef<HTMLDivElement>(null);
  const letters = useRef({ text: '', time: 0 });

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    element.showPopover();
    const { width, height } = element.getBoundingClientRect();
    const fitsRight = menu.x + width <= innerWidth - 8;
    const left = fitsRight ? menu.x : (menu.right ?? innerWidth - 8) - width;
    element.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    element.style.top = `${Math.max(8, Math.min(menu.y, innerHeight - height - 8))}px`;
    element.querySelector<HTMLElement>('button')?.focus();
  }, [menu]);

  useEffect(
    () => () => {
      if (menu.opener instanceof HTMLElement && menu.opener.isConnected) {
        const focused = document.activeElement;
        if (focused === null || focused === document.body) menu.opener.focus();
      }
    },
    [menu],
  );

  function close(): void {
    if (menu.opener instanceof HTMLElement && menu.opener.isConnected) menu.opener.focus();
    open.value = null;
  }

  function onKeyDown(event: KeyboardEvent): void {
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const go = (index: number) => {
      event.preventDefault();
      buttons[(index + buttons.length) % buttons.length]?.focus();
    };
    if (event.key === 'ArrowDown') go(at + 1);
    else if (event.key === 'ArrowUp') go(at - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(buttons.length - 1);
    else if (event.key === 'Tab') {
      event.preventDefault();
      close();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key.length === 1 && event.key !== ' ') {
      const now = Date.now();
      letters.current.text = now - letters.current.time > 700 ? '' : letters.current.text;
      letters.current.text += event.key.toLowerCase();
      letters.current.time = now;
      const found = buttons.findIndex((button) =>
        button.textContent.trim().toLowerCase().startsWith(letters.current.text),
      );
      if (found >= 0) go(found);
    }
    event.stopPropagation();
  }

  return (
    <div
      ref={list}
      class="menu"
      role="menu"
      tabIndex={-1}
      popover="auto"
      aria-label={menu.label}
      onKeyDown={onKeyDown}
      onToggle={(event) => {
        if (event.newState === 'closed' && open.value === menu) open.value = null;
      }}
    >
      {menu.items.map((item, index) =>
        item === 'line' ? (
          <div key={index} role="separator" class="menu-line" />
        ) : (
          <button
            key={index}
            type="button"
            role={item.checked === undefined ? 'menuitem' : 'menuitemradio'}
            aria-checked={item.checked}
            class={item.danger === true ? 'menu-item danger' : 'menu-item'}
            tabIndex={-1}
            onPointerEnter={(event) => event.currentTarget.focus()}
            onClick={() => {
              close();
              item.action();
            }}
          >
            <span class="menu-icon">
              {item.icon !== undefined && <item.icon size={16} aria-hidden="true" />}
            </span>
            <span>
              {item.label}
              {item.hint !== undefined && <small>{item.hint}</small>}
            </span>
          </button>
        ),
      )}
    </div>
  );
}
