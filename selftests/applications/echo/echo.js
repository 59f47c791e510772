// SPDX-License-Identifier: GPL-2.0
// echo.js serve PORT | run HOST PORT COUNT: HTTP, by Node.js. The server sends
// back what is posted; the client prints the checksum of all answers in order.
'use strict';
const crypto = require('crypto');
const http = require('http');

const SIZES = [1, 1000, 16384, 100000, 65537];
const AT_ONCE = 4;

function body(i) {
	const size = SIZES[i % SIZES.length];
	const word = String(i).padStart(8, '0') + ',';

	return Buffer.from(word.repeat(Math.ceil(size / word.length))
		.slice(0, size));
}

function serve(port) {
	http.createServer((request, response) => {
		response.writeHead(200,
			{'Content-Length': request.headers['content-length']});
		request.pipe(response);
	}).listen(port);
}

function ask(agent, host, port, i, done) {
	const data = body(i);
	const request = http.request({
		host, port, agent, method: 'POST', path: `/${i}`,
		headers: {'Content-Length': data.length},
	}, (response) => {
		const parts = [];

		response.on('data', (part) => parts.push(part));
		response.on('end', () => done(Buffer.concat(parts)));
	});

	request.end(data);
}

function run(host, port, count) {
	const agent = new http.Agent({keepAlive: true, maxSockets: AT_ONCE});
	const answers = [];
	const begin = process.hrtime.bigint();
	let left = count;

	for (let i = 0; i < count; i++)
		ask(agent, host, port, i, (answer) => {
			answers[i] = answer;
			if (--left)
				return;
			const seconds = Number(process.hrtime.bigint() - begin);
			const hash = crypto.createHash('sha256');

			answers.forEach((part) => hash.update(part));
			console.log(hash.digest('hex'), count, seconds / 1e9);
			agent.destroy();
		});
}

const [verb, ...words] = process.argv.slice(2);

if (verb === 'serve')
	serve(Number(words[0]));
else
	run(words[0], Number(words[1]), Number(words[2]));
