import t from 'tap';
import { Admission } from '../../../src/query/admission.ts';

const never = new AbortController().signal;

await t.test('places go by priority, then by arrival', async (t) => {
  const admission = new Admission({ poolSize: 1, queueMax: 4 });
  const first = await admission.acquire('normal', never);
  const order: string[] = [];
  const waiting = (['low', 'normal', 'critical', 'normal'] as const).map((priority, index) =>
    admission.acquire(priority, never).then((release) => {
      order.push(`${priority} ${String(index)}`);
      release();
    }),
  );
  t.match(admission, { running: 1, waiting: 4 });
  await t.rejects(admission.acquire('critical', never), { code: 'HF_QUERY_QUEUE_FULL' });
  first();
  first();
  await Promise.all(waiting);
  t.same(order, ['critical 2', 'normal 1', 'normal 3', 'low 0']);
  t.match(admission, { running: 0, waiting: 0 });
});

await t.test('who leaves the queue takes no place', async (t) => {
  const admission = new Admission({ poolSize: 1, queueMax: 1 });
  const release = await admission.acquire('normal', never);
  const controller = new AbortController();
  const left = admission.acquire('normal', controller.signal);
  controller.abort();
  await t.rejects(left, { code: 'HF_QUERY_CANCELLED' });
  await t.rejects(admission.acquire('normal', controller.signal), { code: 'HF_QUERY_CANCELLED' });
  release();
  t.match(admission, { running: 0, waiting: 0 });
});
