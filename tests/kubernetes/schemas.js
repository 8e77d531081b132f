// usage: schemas.js DIRECTORY: what read.py prints, on standard input, by the
// JSON schemas of the API of Kubernetes as the package kubernetes-models, which
// is installed in that directory, has them compiled.  A line for each document.
"use strict";
const path = require("path");
const fs = require("fs");

const models = path.join(process.argv[2], "node_modules", "kubernetes-models");
for (const file of JSON.parse(fs.readFileSync(0)))
	for (const d of file.documents.filter(d => d.kind)) {
		const model = require(path.join(models, d.apiVersion))[d.kind];
		try {
			new model(d).validate();
			console.log(`${d.kind}: good`);
		} catch (e) {
			console.log(`${d.kind}: ${e.message}`);
		}
	}
