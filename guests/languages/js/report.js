// Writes a summary down for people, as Markdown.
// Invariant: equal summaries give equal bytes.
import { attempt, stepName } from 'aim:host/context@0.1.0';
import { put } from 'aim:artifact/store@0.1.0';
import { write } from 'aim:log/log@0.1.0';

const encode = (text) => new TextEncoder().encode(text);

function markdown({ field, groups, records, rejected_lines }) {
  const names = Object.keys(groups).sort((one, other) => groups[other].total - groups[one].total);
  const rows = names.map((name) => {
    const { count, total, mean, median } = groups[name];
    return `| ${name} | ${count} | ${total} | ${mean} | ${median} |`;
  });
  return [
    `# ${records} records by ${field}`,
    '',
    '| shop | count | total | mean | median |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    rejected_lines.length > 0 ? `Lines that are no records: ${rejected_lines.join(', ')}.` : 'Every line is a record.',
    '',
  ].join('\n');
}

export const handler = {
  handle(input) {
    const summary = JSON.parse(new TextDecoder().decode(input.body));
    const text = markdown(summary);
    write('info', 'written', [['step', stepName()], ['attempt', String(attempt())]]);
    const page = put('text/markdown', encode(text));
    const best = Object.entries(summary.groups).reduce((one, other) => (other[1].total > one[1].total ? other : one));
    const body = { first: best[0], lines: text.split('\n').length, page: page.digest, records: summary.records };
    return [
      {
        target: { tag: 'next' },
        operation: 'reported',
        mediaType: 'application/json',
        artifacts: [page, ...input.artifacts],
        body: encode(JSON.stringify(body)),
      },
    ];
  },
};
