import type { JSX } from 'preact';
import { LoginPage } from './pages/login.tsx';
import { Loading } from './parts/panel.tsx';
import { Shell } from './shell/shell.tsx';
import type { Console } from './state/console.ts';
import { ConsoleContext, useConsoleState } from './state/use-console.ts';

export function App({ owner }: { readonly owner: Console }): JSX.Element {
  return (
    <ConsoleContext.Provider value={owner}>
      <Inside />
    </ConsoleContext.Provider>
  );
}

function Inside(): JSX.Element {
  const session = useConsoleState((state) => state.session);
  if (session.state === 'unknown') return <Loading what="the observer" />;
  return session.state === 'out' ? <LoginPage message={session.message} /> : <Shell />;
}
