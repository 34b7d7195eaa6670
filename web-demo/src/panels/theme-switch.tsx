/** Dark, light, or as the system has it. */
import { Moon, Sun, SunMoon } from 'lucide-preact';

import { openMenuBelow } from '../components/menu';
import { chooseTheme, chosenTheme, theme } from '../state/view';

export function ThemeSwitch() {
  const Icon = theme.value === 'dark' ? Moon : Sun;
  return (
    <button
      type="button"
      class="icon-button"
      aria-label="Theme"
      title="Theme"
      aria-haspopup="menu"
      onClick={(event) => {
        const choice = chosenTheme.value;
        openMenuBelow(
          'Theme',
          [
            {
              label: 'Dark',
              icon: Moon,
              checked: choice === 'dark',
              action: () => chooseTheme('dark'),
            },
            {
              label: 'Light',
              icon: Sun,
              checked: choice === 'light',
              action: () => chooseTheme('light'),
            },
            {
              label: 'As the system',
              icon: SunMoon,
              checked: choice === null,
              action: () => chooseTheme(null),
            },
          ],
          event.currentTarget,
        );
      }}
    >
      <Icon size={18} aria-hidden="true" />
    </button>
  );
}
