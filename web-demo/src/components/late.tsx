/** Parts of the page that are fetched when they are first shown. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import { complain } from '../state/notices';

/** A component that stands for the one `load` gives, and shows `waiting` until it is there. */
export function late<Properties extends object>(
  load: () => Promise<ComponentType<Properties>>,
): ComponentType<Properties> {
  let loaded: ComponentType<Properties> | undefined;
  return function Late(properties: Properties) {
    const [, redraw] = useState(0);
    useEffect(() => {
      if (loaded !== undefined) return undefined;
      let current = true;
      load().then((component) => {
        loaded = component;
        if (current) redraw((count) => count + 1);
      }, complain);
      return () => {
        current = false;
      };
    }, []);
    const Loaded = loaded;
    return Loaded === undefined ? null : <Loaded {...properties} />;
  };
}
