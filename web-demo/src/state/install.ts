/** Installing the page as an app, where the browser offers it. */
import { computed, signal } from '@preact/signals';

interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

const offer = signal<InstallPrompt | null>(null);

addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault();
  offer.value = event as InstallPrompt;
});
addEventListener('appinstalled', () => (offer.value = null));

export const installable = computed(() => offer.value !== null);

export async function install(): Promise<void> {
  const current = offer.value;
  offer.value = null;
  await current?.prompt();
}
