// How many cases a fuzz test tries: few in every run, FUZZ_RUNS of them in the long one (test/long/fuzz.test.ts).

export function runs(usual: number): number {
  const wanted = Number(process.env.FUZZ_RUNS ?? 0);
  return Number.isSafeInteger(wanted) && wanted > usual ? wanted : usual;
}
