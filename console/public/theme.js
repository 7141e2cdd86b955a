// Runs before the first paint, so that the page does not flash in the other theme.
try {
  const theme = localStorage.getItem('caravan-theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's theme is used.
}
