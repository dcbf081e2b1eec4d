package import Posix

/// Why a capture file cannot be read or written, in words for the operator.
package struct CaptureError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of trouble it is.
    package enum Code: Hashable, Sendable {
        /// The bytes are something else than a capture.
        case notACapture
        /// A capture that cannot be read, or that the format asked for cannot hold.
        case unsupported
        /// What was asked for makes no sense.
        case badArgument
        /// The kernel refused; its errno.
        case system(Int32)
    }

    package var code: Code
    /// One sentence that names the file.
    package var description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    package init(_ error: SystemError) {
        self.init(.system(error.code), error.description)
    }
}
