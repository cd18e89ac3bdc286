// SPDX-License-Identifier: BSD-3-Clause
// grafana.mjs FILE: holds a dashboard of Grafana's against the types that @grafana/schema makes of its schema: the whole,
// each panel, its fields, its options by kind. Prints what does not fit. What a data source adds of its own is not in them.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const types = './node_modules/@grafana/schema/dist/types/raw/';
const kinds = { stat: 'stat', table: 'table', timeseries: 'timeseries', 'state-timeline': 'statetimeline' };
const { panels, ...whole } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const a of whole.annotations.list) for (const own of ['expr', 'titleFormat', 'textFormat', 'step', 'tagKeys', 'useValueForTime']) delete a[own];
for (const v of whole.templating.list) delete v.definition;

// An enum's members may be written as the texts that they are.
let text = `import type { Dashboard, Panel, RowPanel } from '${types}dashboard/x/types.gen';
type Loose<T> = T extends object ? { [K in keyof T]: Loose<T[K]> } : T extends string ? T | \`\${T}\` : T;
`;
for (const kind of Object.values(kinds)) text += `import type * as ${kind} from '${types}composable/${kind}/panelcfg/x/types.gen';\n`;
const lines = [];
const fits = (what, value, type) => {
  lines[text.split('\n').length] = what;
  text += `export const v${lines.length} = ${JSON.stringify(value)} satisfies Loose<${type}>;\n`;
};
fits('the dashboard', whole, 'Dashboard');
for (const p of panels) {
  const what = `panel ${p.id} "${p.title}"`, kind = kinds[p.type];
  if (p.type === 'row') {
    fits(what, p, 'RowPanel');
    continue;
  }
  if (!kind) {
    console.log(`${what}: of the kind "${p.type}", which is not looked at here`);
    continue;
  }
  const { options, fieldConfig, ...rest } = p, { custom, ...defaults } = fieldConfig.defaults;
  fits(what, rest, 'Panel');
  fits(what + ', fields', { ...fieldConfig, defaults }, "Panel['fieldConfig']");
  fits(what + ', options', options, `Partial<${kind}.Options>`);
  if (custom && kind !== 'stat') fits(what + ', custom', custom, `Partial<${kind}.FieldConfig>`);
}
const file = join(dirname(fileURLToPath(import.meta.url)), 'grafana-check.ts');
writeFileSync(file, text);
const program = ts.createProgram([file], { noEmit: true, strict: true, skipLibCheck: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022 });
for (const d of ts.getPreEmitDiagnostics(program)) {
  const line = d.file ? d.file.getLineAndCharacterOfPosition(d.start).line + 1 : 0;
  console.log(`${lines[line] || 'the types'}: ${ts.flattenDiagnosticMessageText(d.messageText, ' ').slice(0, 300)}`);
}
