/** The page begins: it is there at once, the engine comes while it is read. */
import { render } from 'preact';

import './style/tokens.css';
import './style/base.css';
import './style/controls.css';
import { App } from './app';
import { followLinks } from './state/hash';
import { takeLaunch } from './state/launch';
import { startEngine } from './state/map';

const root = document.getElementById('app');
if (root !== null) {
  root.textContent = '';
  render(<App />, root);
}
void startEngine().then(() => {
  followLinks();
  takeLaunch();
});
