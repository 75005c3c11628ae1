/**
 * Dead letters given up by a person, through a real gateway: which ones, only when it is meant,
 * durably, and in a line of the log. And finding them: filters, pages, the figures of a status.
 */
import t from 'tap';
import { readCommand } from '../../support/command-json.ts';
import { packed } from '../../support/msgpack-bytes.ts';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

interface Listed {
  readonly count: number;
  readonly letters: readonly { readonly id: string; readonly text: string }[];
  readonly next?: string;
}

const list = (gateway: RealGateway, ...flags: string[]) =>
  readCommand<Listed>(gateway, ['deadletter', 'list', '--json', ...flags]);

const texts = async (gateway: RealGateway, ...flags: string[]) =>
  (await list(gateway, ...flags)).letters.map(({ text }) => text).sort();

const drop = (gateway: RealGateway, ...flags: string[]) =>
  gateway.command(['deadletter', 'drop', ...flags]);

void t.test('letters that are dropped are gone, over kills, and the others stay', async (t) => {
  const gateway = await RealGateway.start(t);
  for (const text of ['one', 'two', 'three', 'four']) await gateway.write(`${text}\n`);
  await gateway.write('five\n', 'db=other');
  const [first] = (await list(gateway)).letters.filter(({ text }) => text === 'one');
  const id = first?.id ?? '';

  for (const flags of [[], ['--yes']]) {
    t.match(await drop(gateway, ...flags), { code: 64, err: /say which letters/ });
  }
  const asked = await drop(gateway, '--database', 'd');
  t.match(asked, { code: 64, err: /4 letters with 4 lines would be dropped; add --yes/ });
  t.equal((await list(gateway)).count, 5, 'nothing was dropped');
  const bare = await gateway.send({ method: 'DELETE', path: '/api/v1/deadletter' });
  t.equal(bare.status, 400, 'nor without saying which');

  t.match(await drop(gateway, '--id', id, '--yes'), { code: 0, out: /^1 letter dropped/ });
  const rest = ['five', 'four', 'three', 'two'];
  t.same(await texts(gateway), rest);
  t.match(gateway.lines.join('\n'), new RegExp(`"dropped":1.*"id":"${id}".*dead letters dropped`));
  const unknown = new RegExp(`404.*no dead letter '${id}'`);
  t.match(await drop(gateway, '--id', id, '--yes'), { code: 65, err: unknown });
  const replayed = await gateway.command(['deadletter', 'replay', '--id', id]);
  t.match(replayed, { code: 65, err: unknown }, 'a replay does not know it');
  t.match(await gateway.command(['deadletter', 'replay']), { code: 65, out: /^0 letters/ });

  await gateway.kill();
  await gateway.startAgain();
  t.same(await texts(gateway), rest, 'after a kill');
  await gateway.stop();
  await gateway.startAgain();
  t.same(await texts(gateway, '--state', 'all'), rest, 'from files');
  t.match(await drop(gateway, '--older-than', '1h', '--yes'), { out: /^0 letters/ });
  t.match(await drop(gateway, '--database', 'd', '--yes'), { out: /^3 letters/ });
  t.same(await texts(gateway), ['five']);
  t.match(await drop(gateway, '--older-than', '0m', '--yes', '--json'), { out: /"dropped":1/ });
  t.same(await texts(gateway), []);
});

void t.test('files of which no letter is left to be kept go', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-buffer-age-max', '100ms']);
  const rows = () => gateway.count('_internal.dead_letters');
  for (const text of ['a', 'b', 'c']) {
    await gateway.write(`${text}1\n${text}2\n`);
    await gateway.filed();
  }
  t.match(await drop(gateway, '--text', 'a', '--yes'), { out: /^2 letters .* 1 file / });
  t.equal(await rows(), 4);
  t.match(await drop(gateway, '--text', 'c', '--yes'), { out: /^2 letters .* 0 files/ });
  t.equal(await rows(), 4, 'an older one is kept');
  t.same(await texts(gateway), ['b1', 'b2']);
  await gateway.write('late\n');
  t.match(await drop(gateway, '--all', '--yes', '--state', 'open'), {
    out: /^3 letters .* 2 file/,
  });
  t.same(await texts(gateway, '--state', 'all'), []);
  await gateway.kill();
  await gateway.startAgain();
  t.same(await texts(gateway, '--state', 'all'), [], 'they do not come back');
  await gateway.write('new\n');
  t.same(await texts(gateway), ['new']);
});

void t.test('letters are found by what is known of them, page by page', async (t) => {
  const gateway = await RealGateway.start(t);
  const write = (body: string, agent: string) =>
    gateway.send({ path: '/write?db=d', headers: { 'user-agent': agent }, body });
  await write('door\\ log,west=1 f\ncpu,host=a f=x\ncpux f=y\n', 'one/1');
  await write('cpu 7\nnothing\n', 'two/2');
  const item = packed([
    { m: 'cpu', fields: { f: 1 } },
    { m: 'cpu', fields: {} },
  ]);
  await gateway.send({ path: '/api/v1/write/msgpack?db=d', body: item });
  t.equal((await list(gateway)).count, 6);
  t.same(await texts(gateway, '--measurement', 'door log'), ['door\\ log,west=1 f']);
  const cpu = await texts(gateway, '--measurement', 'cpu');
  t.match(cpu, ['cpu 7', 'cpu,host=a f=x', /cpu/]);
  t.equal(cpu.length, 3);
  t.same(await texts(gateway, '--sender', 'TWO/2'), ['cpu 7', 'nothing']);
  t.same(await texts(gateway, '--text', 'NOTH'), ['nothing']);
  t.same(await texts(gateway, '--text', "'"), []);
  t.same(await texts(gateway, '--older-than', '1w'), []);
  const exported = await gateway.command([
    'deadletter',
    'export',
    '--sender',
    'one',
    '--as',
    'line',
  ]);
  t.same(exported.out.trimEnd().split('\n').sort(), [
    'cpu,host=a f=x',
    'cpux f=y',
    'door\\ log,west=1 f',
  ]);

  const seen: string[] = [];
  let pages = 0;
  for (let after: string[] = []; ; pages += 1) {
    const page = await list(gateway, '--limit', '4', ...after);
    t.equal(page.count, 6);
    seen.push(...page.letters.map(({ id }) => id));
    if (page.next === undefined) break;
    after = ['--after', page.next];
  }
  t.equal(pages, 1);
  t.equal(new Set(seen).size, 6, 'each letter stands on one page');
  const people = await gateway.command(['deadletter', 'list', '--limit', '2']);
  t.match(people.out, /^6 letters with 6 lines, 2 are shown\nolder ones: --after \d+\..+\n$/m);
});

void t.test('a status shows keys and dead letters beside their limits', async (t) => {
  const gateway = await RealGateway.start(t, [
    ...['--deadletter-rows-max', '5000', '--deadletter-size-max', '2MiB'],
    ...['--ingest-keys-max', '1000', '--ingest-keys-memory', '128KiB'],
  ]);
  const headers = { 'idempotency-key': 'k' };
  const keyed = { path: '/write?db=d', headers, body: 'm v=1\nbad\n' };
  while ((await gateway.send(keyed)).status === 503) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const held = await gateway.json('/api/v1/status');
  t.match(held, {
    keys: { loaded: true, count: 1, count_max: 1000, bytes_max: 131_072, dropped: 0 },
    dead_letters: { rows: 0, rows_held: 1, rows_max: 5000, bytes: 0, bytes_max: 2_097_152 },
  });
  await gateway.stop();
  await gateway.startAgain();
  await gateway.filed();
  while ((await gateway.send(keyed)).status === 503) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.match(await gateway.json('/api/v1/status'), {
    keys: { count: 1 },
    dead_letters: { rows: 1, rows_held: 0, dropped_rows: 0 },
  });
  const { out } = await gateway.command(['status']);
  t.match(out, /^letters +1 of 5000 dead rows, \d+\.\d KiB of 2\.0 MiB$/m);
  t.match(out, /^keys +1 of 1000 remembered, \d+\.\d KiB of 128\.0 KiB$/m);
  const { text } = await gateway.send({ path: '/metrics' });
  t.match(text, /^holdfast_ingest_keys 1$/m);
  t.match(text, /^holdfast_deadletter_rows 1$/m);
});

void t.test('words that mean no letters are told', async (t) => {
  const gateway = await RealGateway.start(t);
  for (const query of ['older_than=x', 'older_than=7', 'older_than=-1d', 'state=x', 'since=x']) {
    const answer = await gateway.send({ method: 'DELETE', path: `/api/v1/deadletter?${query}` });
    t.equal(answer.status, 400, query);
    t.match(JSON.parse(answer.text), { success: false, code: 'parameter' });
  }
  const nobody = await gateway.send({ method: 'DELETE', path: '/api/v1/deadletter?id=nobody' });
  t.equal(nobody.status, 404);
  t.match(JSON.parse(nobody.text), { code: 'letter_unknown' });
});
