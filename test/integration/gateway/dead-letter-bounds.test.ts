/** Dead letters are bounded: the oldest files go by a commit, counted, and do not come back. */
import t from 'tap';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

void t.test(
  'files of letters beyond the limit go, the oldest first, and are counted',
  async (t) => {
    const gateway = await RealGateway.start(t, [
      ...['--ingest-buffer-age-max', '50ms'],
      ...['--deadletter-rows-max', '1000'],
    ]);
    for (let round = 0; round < 5; round += 1) {
      const body = Array.from({ length: 400 }, (_, line) => `bad-${round}-${line}`).join('\n');
      await gateway.write(body);
      await gateway.filed();
    }
    const texts =
      'SELECT DISTINCT split_part("text", \'-\', 2) FROM _internal.dead_letters ORDER BY 1';
    const metric = /^holdfast_deadletter_dropped_rows_total 1200$/m;
    while (!metric.test((await gateway.send({ path: '/metrics' })).text)) {
      await new Promise((go) => setTimeout(go, 10));
    }
    t.strictSame(await gateway.select(texts), [['3'], ['4']]);
    const onDisk = () => gateway.dataFiles().filter((path) => path.startsWith('_internal/dead'));
    while (onDisk().length > 2) await new Promise((go) => setTimeout(go, 20));
    t.equal(onDisk().length, 2, 'their room is given back');
    t.match((await gateway.status()).alarms, [{ id: 'dead_letters_dropped' }]);
    await gateway.kill();
    await gateway.startAgain();
    t.strictSame(await gateway.select(texts), [['3'], ['4']], 'they do not come back');
  },
);
