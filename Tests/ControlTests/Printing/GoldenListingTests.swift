import Control
import Testing

@Suite("Recorded listings")
struct GoldenListingTests {
    @Test("A table is listed byte for byte as the original does", arguments: RenderingCase.all)
    func listing(_ golden: RenderingCase) {
        let transcript = Transcript(table: golden.state.table)
        #expect(transcript.run(golden.argv) == golden.exit)
        #expect(transcript.output == golden.stdout)
    }
}
