import { render } from 'preact';
import { App } from './app.tsx';
import { Console } from './state/console.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/parts.css';
import './styles/table.css';
import './styles/map.css';
import './styles/pages.css';
import './styles/narrow.css';

const place = document.querySelector('#console');
if (place !== null) {
  const owner = new Console();
  render(<App owner={owner} />, place);
  void owner.start();
}
