import type { JSX } from 'preact';
import { Icon } from '../parts/icon.tsx';

interface MapToolsProperties {
  readonly zoomStep: number;
  readonly onZoom: (factor: number) => void;
  readonly onFit: () => void;
  readonly onArrange: () => void;
}

export function MapTools({ zoomStep, onZoom, onFit, onArrange }: MapToolsProperties): JSX.Element {
  return (
    <div class="map-tools" role="group" aria-label="Map">
      <button type="button" class="icon-button" title="Zoom in (+)" aria-label="Zoom in" onClick={() => onZoom(zoomStep)}>
        <Icon name="plus" />
      </button>
      <button type="button" class="icon-button" title="Zoom out (-)" aria-label="Zoom out" onClick={() => onZoom(1 / zoomStep)}>
        <Icon name="minus" />
      </button>
      <button type="button" class="icon-button" title="Show all (0)" aria-label="Show the whole map" onClick={onFit}>
        <Icon name="fit" />
      </button>
      <button type="button" class="icon-button" title="Arrange anew" aria-label="Arrange the sites anew" onClick={onArrange}>
        <Icon name="arrange" />
      </button>
    </div>
  );
}
