/**
 * Deep links: what is looked at stands in the URL's hash, and a hash that comes is looked at.
 *
 * `#url=…|map=…&at=x,y,zoom&layer=…&select=/path&snapshot=…`. A file of the visitor's cannot be
 * linked to; then only the view is there, which holds for whoever has the same file open.
 */
import { batch, effect } from '@preact/signals';

import type { Layer, OpenMap, Source } from '../engine/contract';
import { layout, openMap, openSource } from './map';
import { mayClose } from './leaving';
import { look } from './snapshots';
import { camera, flight, layer, selection, snapshot, type Camera } from './view';
import { heed } from './heed';

/** Browsers bear about 100 changes of the address in 30 s. */
const PAUSE = 400;
/** `changes` needs a comparison, which is not in the link. */
const LINKED: readonly Layer[] = ['files', 'zones', 'heat', 'kinds', 'age', 'raw'];

export interface Link {
  source: Extract<Source, { kind: 'url' | 'stored' }> | null;
  at: Camera | null;
  layer: Layer | null;
  select: string | null;
  snapshot: string | null;
}

export function parseLink(hash: string): Link {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const url = fields.get('url');
  const map = fields.get('map');
  const [x = NaN, y = NaN, zoom = NaN] = (fields.get('at') ?? '').split(',').map(Number.parseFloat);
  const wanted = fields.get('layer');
  const select = fields.get('select');
  return {
    source: url ? { kind: 'url', url: absolute(url) } : map ? { kind: 'stored', name: map } : null,
    at: [x, y, zoom].every(Number.isFinite) ? { x, y, zoom } : null,
    layer: LINKED.find((each) => each === wanted) ?? null,
    select: select?.startsWith('/') === true ? select : null,
    snapshot: fields.get('snapshot') || null,
  };
}

export function linkOf(
  from: OpenMap['from'],
  at: Camera,
  shown: Layer,
  select: string | null,
  past: string | null,
): string {
  const fields: string[] = [];
  const add = (name: string, value: string): void => {
    // Slashes, commas and colons may stand in a hash as they are, and read better so.
    const text = encodeURIComponent(value).replace(/%(2F|2C|3A)/g, decodeURIComponent);
    fields.push(`${name}=${text}`);
  };
  // Beside the page itself a map is linked to without the server's name, which may be another tomorrow.
  if (from.kind === 'url') {
    const whole = absolute(from.address);
    add(
      'url',
      whole.startsWith(`${location.origin}/`) ? whole.slice(location.origin.length) : whole,
    );
  }
  if (from.kind === 'stored') add('map', from.address);
  // To about a screen pixel, so that addresses stay short.
  const digits = Math.max(0, Math.min(3, Math.ceil(at.zoom / 3)));
  add('at', `${tidy(at.x, digits)},${tidy(at.y, digits)},${tidy(at.zoom, 2)}`);
  if (LINKED.includes(shown) && shown !== 'files') add('layer', shown);
  // A name that is no UTF-8 cannot be written into an address.
  if (select !== null && !/[\ud800-\udfff]/u.test(select)) add('select', select);
  if (past !== null) add('snapshot', past);
  return `#${fields.join('&')}`;
}

/** As the page means it; the worker, which fetches it, lies in another folder. */
function absolute(url: string): string {
  return URL.canParse(url, location.href) ? new URL(url, location.href).href : url;
}

function tidy(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}

let written = '';
let following = false;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Opens what the address links to, and keeps both in step from then on. Once, when the engine is ready. */
export function followLinks(): void {
  addEventListener('hashchange', () => {
    const { hash } = location;
    // `#plane` and the like are places in the page, not links into a map.
    if (!hash.includes('=')) timer ??= setTimeout(write, PAUSE);
    else if (hash !== written) void follow(parseLink(hash));
  });
  void follow(parseLink(location.hash)).finally(() => {
    effect(() => {
      heed(openMap.value, camera.value, layer.value, selection.value, snapshot.value);
      timer ??= setTimeout(write, PAUSE);
    });
  });
}

async function follow(link: Link): Promise<void> {
  following = true;
  try {
    if (link.source !== null && !isOpen(link.source)) {
      if (!(await mayClose()) || !(await openSource(link.source))) {
        // The address goes on saying what is shown.
        timer ??= setTimeout(write, PAUSE);
        return;
      }
    }
    if (openMap.value === null) return;
    if (link.snapshot !== snapshot.value) await look(link.snapshot);
    batch(() => {
      if (link.layer !== null) layer.value = link.layer;
      selection.value = link.select;
      if (link.at !== null && layout.value !== null) flight.value = { camera: link.at };
    });
  } finally {
    following = false;
  }
}

function isOpen(source: Link['source']): boolean {
  const from = openMap.value?.from;
  if (from === undefined || source === null || from.kind !== source.kind) return false;
  return source.kind === 'url'
    ? absolute(from.address) === source.url
    : from.address === source.name;
}

function write(): void {
  timer = undefined;
  // What a link asks for is not overwritten by what was there before it, and a flight that has not
  // begun (the plane may still be loading) leaves the camera where nobody looks.
  if (following || flight.peek() !== null) {
    timer = setTimeout(write, PAUSE);
    return;
  }
  const opened = openMap.value;
  const hash =
    opened === null
      ? ''
      : linkOf(opened.from, camera.value, layer.value, selection.value, snapshot.value);
  if (opened === null && written === '') return;
  if (hash === location.hash) return;
  history.replaceState(history.state, '', hash === '' ? location.pathname + location.search : hash);
  written = location.hash;
}
