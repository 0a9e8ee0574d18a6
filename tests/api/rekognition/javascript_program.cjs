// A program that knows Amazon Rekognition's documentation, and nothing of this service. Photos are words.
// node javascript_program.cjs CLIENT ENDPOINT ACCESS_KEY SECRET_KEY
const assert = require("node:assert");
const [client, endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const aws = require(client);

const made = (secret) => new aws.RekognitionClient({
  endpoint, region: "eu-central-1", credentials: { accessKeyId, secretAccessKey: secret }, maxAttempts: 1,
});
const rekognition = made(secretAccessKey);
const Bytes = Buffer.from("anna");

async function main() {
  await rekognition.send(new aws.CreateCollectionCommand({ CollectionId: "one" }));
  const indexed = await rekognition.send(new aws.IndexFacesCommand({ CollectionId: "one", Image: { Bytes } }));
  const found = await rekognition.send(new aws.SearchFacesByImageCommand({ CollectionId: "one", Image: { Bytes } }));
  assert.strictEqual(found.FaceMatches[0].Face.FaceId, indexed.FaceRecords[0].Face.FaceId);
  const described = await rekognition.send(new aws.DescribeCollectionCommand({ CollectionId: "one" }));
  assert(Math.abs(described.CreationTimestamp - new Date()) < 60000);
  const faces = [];
  for await (const page of aws.paginateListFaces({ client: rekognition, pageSize: 1 }, { CollectionId: "one" })) {
    faces.push(...page.Faces);
  }
  assert.strictEqual(faces.length, 1);
  const again = rekognition.send(new aws.CreateCollectionCommand({ CollectionId: "one" }));
  await assert.rejects(again, aws.ResourceAlreadyExistsException);
  await assert.rejects(made("another").send(new aws.ListCollectionsCommand({})), { name: "InvalidSignatureException" });
}

main();
