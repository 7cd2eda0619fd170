// Tells a program of a fault: one POST with JSON. Whoever is told so late that nobody waits for it is told once more by
// the next change; the store of the fault is ours.

/** Rejects when the program does not say 2xx in time. */
export function createWebhook(url: string, within = 10_000): (report: object) => Promise<void> {
  return async (report) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'Pointsman' },
      body: JSON.stringify(report),
      // A redirect could name a machine that the configuration does not.
      redirect: 'error',
      signal: AbortSignal.timeout(within),
    });
    // Read to its end, or the connection stays.
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`the webhook says ${response.status}`);
  };
}
