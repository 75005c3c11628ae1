/**
 * `holdfast version`: the version of this command, which need not be that of a running gateway.
 */
import { version as number } from '../../base/lib/version.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { exitCodes, type Verb } from './command.ts';

export const version: Verb = {
  usage: '',
  summary: 'print the version of this command',
  text: '',
  flags: { json: 'switch', help: 'switch' },
  async run(words, context) {
    const [extra] = words.operands;
    if (extra !== undefined) throw new GatewayError('HF_USAGE', `one word too many: '${extra}'`);
    const asJson = words.values.get('json') === 'true';
    const node = process.version;
    const text = asJson ? JSON.stringify({ version: number, node }) : `holdfast ${number}`;
    context.out.write(`${text}\n`);
    return exitCodes.ok;
  },
};
