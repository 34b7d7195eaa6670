/** In which colours the plane is shown: radio buttons, by arrow keys too. */
import { comparison, layer } from '../state/view';
import { LAYERS } from './layers';

export function LayerPicker({ icons }: { icons: boolean }) {
  const offered = LAYERS.filter(
    (each) => each.layer !== 'changes' || comparison.value !== null || layer.value === 'changes',
  );
  return (
    <fieldset class={`plane-picker ${icons ? 'icons' : ''}`}>
      <legend class="hidden-visually">Layer</legend>
      {offered.map(({ layer: each, name, shows, Icon }, place) => (
        <label key={each} title={`${name} (${place + 1}). ${shows}`}>
          <input
            type="radio"
            name="plane-layer"
            value={each}
            checked={layer.value === each}
            onChange={() => (layer.value = each)}
          />
          <span>
            <Icon size={15} aria-hidden="true" />
            <span>{name}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
