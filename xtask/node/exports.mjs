// Loads one entry of pkg/ and compares it with index.d.ts: every declared class, method, getter
// and function must exist, and every public one that exists must be declared.
import { readFileSync } from 'node:fs';

const [entry] = process.argv.slice(2);
const pkg = new URL('../../pkg/', import.meta.url);
const module = await import(new URL(`${entry}.js`, pkg));
if (entry === 'web') module.initSync({ module: readFileSync(new URL('aetherflow_bg.wasm', pkg)) });

const types = readFileSync(new URL('index.d.ts', pkg), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
const problems = [];
for (const [, name, body] of types.matchAll(/^export class (\w+)[^{]*\{([\s\S]*?)^\}/gm)) {
  const real = module[name];
  if (typeof real !== 'function') {
    problems.push(`class ${name} is declared but not exported`);
    continue;
  }
  const declared = new Set();
  for (const [, isStatic, member] of body.matchAll(/(?:^|;|\s)(static\s+)?(?:readonly\s+)?(\w+)\s*(?:\(|:)/gm)) {
    const owner = isStatic ? real : real.prototype;
    if (isStatic || Object.hasOwn(owner, member)) declared.add(member);
    if (isStatic && !Object.hasOwn(owner, member)) problems.push(`${name}.${member} is missing`);
  }
  for (const line of body.split('\n')) {
    const member = /^ {2}(?:readonly\s+)?(\w+)\s*[(:]/.exec(line)?.[1];
    if (member && member !== 'constructor' && !Object.hasOwn(real.prototype, member)) {
      problems.push(`${name}#${member} is declared but missing`);
    }
  }
  for (const member of Object.getOwnPropertyNames(real.prototype)) {
    if (member === 'constructor' || member.startsWith('__')) continue;
    if (!declared.has(member)) problems.push(`${name}#${member} exists but is not declared`);
  }
}
for (const [, name] of types.matchAll(/^export (?:declare )?function (\w+)/gm)) {
  if (typeof module[name] !== 'function' && (name !== 'init' && name !== 'initSync')) {
    problems.push(`function ${name} is declared but not exported`);
  }
}
if (module.InfiniteMap !== module.Map) problems.push('InfiniteMap is not Map');
if (typeof module.version().engine !== 'string') problems.push('version() names no engine');
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
