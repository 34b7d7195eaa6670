import { defineConfig, type Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

/**
 * What the page may do: its own scripts and styles and the engine's wasm; nothing inline, no eval.
 * Pictures may come out of files, and maps from any server that lets it.
 */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "frame-src 'self' blob:",
  'connect-src * blob: data:',
  "object-src 'none'",
  "base-uri 'none'",
].join('; ');

/** The policy travels in the page, since a static server sends no header of its own. */
function policy(): Plugin {
  return {
    name: 'policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
        injectTo: 'head-prepend',
      },
    ],
  };
}

export default defineConfig({
  // Relative, so that the page works from any folder of any static server.
  base: './',
  build: { target: 'es2023', assetsInlineLimit: 0, sourcemap: false },
  worker: { format: 'es' },
  plugins: [
    policy(),
    VitePWA({
      // A new version waits until no page uses the old one, so that none loses its lazy parts.
      registerType: 'prompt',
      injectRegister: 'script-defer',
      scope: './',
      workbox: {
        globPatterns: ['**/*.{html,css,js,wasm,svg,png,webmanifest,woff2}'],
        globIgnores: ['example.rts.png'],
        maximumFileSizeToCacheInBytes: 4 << 20,
        cleanupOutdatedCaches: true,
        clientsClaim: true,
        skipWaiting: false,
        navigateFallback: 'index.html',
        // A picture or a file that is opened as a page is what it is.
        navigateFallbackDenylist: [/\.\w+$/],
        inlineWorkboxRuntime: true,
        sourcemap: false,
      },
      manifest: {
        id: './',
        name: 'AetherFlow Explorer',
        short_name: 'AetherFlow',
        description:
          'Walk through a filesystem that lives in a picture. Drop a folder and see it as a place.',
        start_url: './',
        scope: './',
        display: 'standalone',
        background_color: '#0a0d0f',
        theme_color: '#0a0d0f',
        categories: ['utilities', 'productivity'],
        icons: [
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
          {
            src: 'icon-maskable-192.png',
            sizes: '192x192',
            type: 'image/png',
            purpose: 'maskable',
          },
          {
            src: 'icon-maskable-512.png',
            sizes: '512x512',
            type: 'image/png',
            purpose: 'maskable',
          },
        ],
        file_handlers: [{ action: './', accept: { 'image/png': ['.png'] } }],
        launch_handler: { client_mode: ['navigate-existing', 'auto'] },
      },
    }),
  ],
});
