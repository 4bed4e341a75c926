// Makes a component of one JavaScript file: node build.mjs <source> <folder of WIT> <world> <component>.
// Every feature of the toolchain stays on, as an author who says nothing gets it.
import { componentize } from '@bytecodealliance/componentize-js';
import { writeFile } from 'node:fs/promises';

const [sourcePath, witPath, worldName, out] = process.argv.slice(2);
const { component } = await componentize({ sourcePath, witPath, worldName });
await writeFile(out, component);
