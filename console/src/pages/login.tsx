import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { CliCommand } from '../parts/cli-command.tsx';
import { Brand } from '../shell/brand.tsx';
import { useConsole } from '../state/use-console.ts';

/** Who has no session: a link from the command line, or a name and a password. */
export function LoginPage({ message }: { readonly message: string | null }): JSX.Element {
  const owner = useConsole();
  const [busy, setBusy] = useState(false);
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const submit = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    void owner.login({ user, password }).then(() => {
      setPassword('');
      setBusy(false);
    });
  };
  return (
    <main class="login" id="main">
      <div class="login-box">
        <Brand />
        <h1>Log in</h1>
        <p class="login-message" role="alert">
          {message}
        </p>
        <p>With a link that this command prints where the observer runs. It works once, within a minute:</p>
        <CliCommand command="van console --open" />
        <p class="login-or">
          <span>or</span>
        </p>
        <form onSubmit={submit}>
          <label class="field">
            <span>User</span>
            <input
              name="user"
              type="text"
              autocomplete="username"
              required
              maxLength={256}
              value={user}
              onInput={({ currentTarget }) => setUser(currentTarget.value)}
            />
          </label>
          <label class="field">
            <span>Password</span>
            <input
              name="password"
              type="password"
              autocomplete="current-password"
              required
              maxLength={256}
              value={password}
              onInput={({ currentTarget }) => setPassword(currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary" disabled={busy}>
            {busy ? 'Logging in…' : 'Log in'}
          </button>
        </form>
        <p class="hint">There is no user until “van console password NAME” makes one.</p>
      </div>
    </main>
  );
}
