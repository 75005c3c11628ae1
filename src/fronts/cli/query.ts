/**
 * `holdfast query "SQL"`: asks a gateway and prints a table, JSON or CSV.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { clientFlags, exitCodes, soleOperand, type Verb } from './command.ts';
import { answerError, GatewayClient } from './gateway-client.ts';
import { csvText, parseResult, tableText } from './result-text.ts';

export const query: Verb = {
  usage: '"SQL"',
  summary: 'ask in SQL and print a table',
  text: [
    '  --database NAME  database of tables that are named without one [default]',
    '  --csv            print CSV',
    '  --json           print the answer as the gateway gives it',
  ].join('\n'),
  flags: { ...clientFlags, csv: 'switch', database: 'text' },
  async run(words, context) {
    const sql = soleOperand(words, 'the statement');
    const database = words.values.get('database');
    const asJson = words.values.get('json') === 'true';
    const asCsv = words.values.get('csv') === 'true';
    if (asJson && asCsv) throw new GatewayError('HF_USAGE', '--json and --csv exclude each other');
    const answer = await new GatewayClient(words, context).ask({
      method: 'POST',
      path: '/api/v1/query',
      headers: {
        'content-type': 'application/json',
        ...(database === undefined ? {} : { 'x-arc-database': database }),
      },
      body: JSON.stringify({ sql }),
    });
    if (answer.status !== 200) throw answerError(answer);
    const result = parseResult(answer.text);
    if (asJson) context.out.write(`${answer.text.trimEnd()}\n`);
    // To clients of Arc a measurement that is not there is empty; to a person it is a mistake.
    if (result.warning !== undefined) {
      throw new GatewayError('HF_ANSWER', result.warning, { details: { status: 400 } });
    }
    if (asJson) return exitCodes.ok;
    if (asCsv) {
      context.out.write(csvText(result));
      return exitCodes.ok;
    }
    const count = result.rows.length;
    context.out.write(`${tableText(result)}(${count} ${count === 1 ? 'row' : 'rows'})\n`);
    return exitCodes.ok;
  },
};
