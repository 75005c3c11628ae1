/**
 * `holdfast query "SQL"`: asks a gateway and prints a table, JSON or CSV.
 */
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
    if (words.values.get('json') === 'true') {
      context.out.write(`${answer.text.trimEnd()}\n`);
      return exitCodes.ok;
    }
    const result = parseResult(answer.text);
    if (words.values.get('csv') === 'true') {
      context.out.write(csvText(result));
      return exitCodes.ok;
    }
    const count = result.rows.length;
    context.out.write(`${tableText(result)}(${count} ${count === 1 ? 'row' : 'rows'})\n`);
    return exitCodes.ok;
  },
};
