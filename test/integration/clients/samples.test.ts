/**
 * The samples of README.md, and those for Telegraf in docs/CLIENTS.md, as they stand there but for
 * the address: each does what a reader expects of it.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { programEnvironment } from '../../support/gateway-process.ts';
import { RealGateway, scratchDirectory } from '../../support/real-gateway.ts';
import { required } from '../../support/requirements.ts';
import { telegrafBinary, telegrafRequirements } from '../../support/telegraf-binary.ts';

t.setTimeout(300_000);

const root = fileURLToPath(new URL('../../../', import.meta.url));
const command = `${process.execPath} ${root}src/main.ts`;
const run = promisify(execFile);

/** Blocks of `language` in a document, one behind the other, for the gateway at `url`. */
function blocks(page: string, language: string, url: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll('http://127.0.0.1:8086', url);
  const found = text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gmsu'));
  return [...found].map(([, block = '']) => block);
}

const noTelegraf = required('telegraf', telegrafRequirements);

void t.test('each output of Telegraf delivers with its sample', { skip: noTelegraf }, async (t) => {
  const gateway = await RealGateway.start(t);
  const samples = ['README.md', 'docs/CLIENTS.md'].flatMap((page) =>
    blocks(page, 'toml', gateway.url).flatMap((block) => block.split(/^(?=\[\[outputs)/m)),
  );
  const names = samples.map((sample) => /^\[\[outputs\.(\w+)\]\]/.exec(sample)?.[1]);
  t.strictSame(names, ['influxdb', 'influxdb_v2', 'arc', 'influxdb_v3', 'http']);
  const file = join(scratchDirectory(t), 'telegraf.conf');
  const telegraf = telegrafBinary();
  for (const [at, sample] of samples.entries()) {
    writeFileSync(file, `[[inputs.mem]]\n${sample}`);
    await run(telegraf, ['--once', '--config', file]);
    const { buffers } = await gateway.status();
    t.equal(buffers.rows_entered, at + 1, String(names[at]));
  }
  t.ok(Number(await gateway.value('SELECT max(used) FROM telegraf.mem')) > 0);
});

const noTools = required('samples', [
  { kind: 'program', name: 'curl', from: 'curl' },
  { kind: 'program', name: 'python3', from: 'python3' },
]);

void t.test('the commands and programs of the README', { skip: noTools }, async (t) => {
  const gateway = await RealGateway.start(t);
  const { url } = gateway;
  const env = { ...programEnvironment, HOLDFAST_URL: url };
  const shell = async (block: string) => {
    const script = block.replaceAll('npx holdfast', command);
    return (await run('bash', ['-ec', script], { env })).stdout;
  };
  const python = async (program: string) => (await run('python3', ['-c', program])).stdout;
  const [write = '', query = ''] = blocks('README.md', 'sh', url);
  const [pythonWrite = '', pythonQuery = ''] = blocks('README.md', 'python', url);
  t.match(await shell(write), /^HTTP\/1\.1 204 /);
  await python(pythonWrite);
  const asked = await shell(query);
  t.match(asked, /^line {2}avg\("temp"\)\n-+ {2}-+\n1 +71\.5\n2 +68\.25\n\(2 rows\)\n/);
  t.match(asked, /\n\{"success":true,"columns":\["time","line","temp","open"\],/);
  t.equal(await python(pythonQuery), '[[3]]\n');
});
