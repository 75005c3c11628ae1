/**
 * What `serve` says to a person who started it by hand: one line that writes, one that queries.
 */

/** Two commands to paste into another terminal. */
export function greeting(url: string): string {
  const write = `curl -i '${url}/write?db=demo' --data-binary 'weather,city=Oslo temperature=21.5'`;
  const query = `curl '${url}/api/v1/query' -d '{"sql":"SELECT * FROM demo.weather"}'`;
  return `\nHoldfast listens on ${url}\n  write:  ${write}\n  query:  ${query}\n\n`;
}
