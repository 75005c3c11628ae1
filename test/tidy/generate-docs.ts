/** Writes the documents that are made from tables in the code: `npm run docs:generate`. */
import { writeFileSync } from 'node:fs';
import { generatedDocuments } from '../support/generated-documents.ts';

for (const [path, text] of Object.entries(generatedDocuments())) writeFileSync(path, text);
