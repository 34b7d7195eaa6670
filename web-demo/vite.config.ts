import { defineConfig } from 'vite';

export default defineConfig({
  // Relative, so that the page works from any folder of any static server.
  base: './',
  build: { target: 'es2023', assetsInlineLimit: 0, sourcemap: false },
  worker: { format: 'es' },
});
