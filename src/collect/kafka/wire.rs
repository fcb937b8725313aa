//! One connection to one broker: frames, correlation, version negotiation.
//!
//! Invariants:
//! - A frame's announced length is checked before a byte of it is reserved, and memory grows only
//!   with bytes that arrived.
//! - One request is in flight at a time; an answer is used only if its correlation id matches and
//!   its layout fits ([`crate::kafka_wire`]).
//! - A request goes out only in a version that broker and codec share (KIP-35, KIP-511).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, DescribeLogDirsRequest, FindCoordinatorRequest, ListGroupsRequest,
    ListOffsetsRequest, MetadataRequest, OffsetFetchRequest, RequestHeader,
};
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, Message, Request, StrBytes, VersionRange,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::{ClientError, ErrorCode, IoFailure};
use crate::kafka_wire::{Shape, answers, skip_tags};
use crate::ports::{Endpoint, Net};

/// Bytes reserved at a time while a frame comes in: enough for most answers at once, and never
/// more ahead of what arrived than the larger figure.
const CHUNK_BYTES: std::ops::RangeInclusive<usize> = 4 * 1024..=32 * 1024;

/// A request this client knows how to make, and whose answer it can check.
pub(super) trait Call: Request {
    /// The API's name in errors and statistics.
    const NAME: &'static str;
    /// Its place in [`Traffic`].
    const INDEX: usize;
    /// The layout of its answer.
    const SHAPE: &'static Shape;
}

macro_rules! calls {
    ($($index:literal $request:ty, $name:literal, $shape:ident;)*) => {
        $(impl Call for $request {
            const NAME: &'static str = $name;
            const INDEX: usize = $index;
            const SHAPE: &'static Shape = &answers::$shape;
        })*
        const NAMES: [&str; [$($index),*].len()] = [$($name),*];

        /// Decodes `body` as the answer to the API at `index` of this client's list; for fuzzing.
        ///
        /// # Errors
        /// What the client would report.
        pub fn decode_answer(index: u8, version: i16, body: Bytes) -> Result<(), ClientError> {
            match index {
                $($index => decode::<$request>(body, version).map(drop),)*
                _ => Ok(()),
            }
        }
    };
}

calls! {
    0 ApiVersionsRequest, "ApiVersions", API_VERSIONS;
    1 MetadataRequest, "Metadata", METADATA;
    2 DescribeClusterRequest, "DescribeCluster", DESCRIBE_CLUSTER;
    3 ListOffsetsRequest, "ListOffsets", LIST_OFFSETS;
    4 FindCoordinatorRequest, "FindCoordinator", FIND_COORDINATOR;
    5 ListGroupsRequest, "ListGroups", LIST_GROUPS;
    6 DescribeGroupsRequest, "DescribeGroups", DESCRIBE_GROUPS;
    7 OffsetFetchRequest, "OffsetFetch", OFFSET_FETCH;
    8 DescribeConfigsRequest, "DescribeConfigs", DESCRIBE_CONFIGS;
    9 DescribeLogDirsRequest, "DescribeLogDirs", DESCRIBE_LOG_DIRS;
}

/// What went over a connection since it was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    requests: [u64; NAMES.len()],
    /// Connections opened.
    pub(super) opened: u64,
    /// Bytes received.
    pub(super) bytes_in: u64,
    /// Bytes sent.
    pub(super) bytes_out: u64,
}

impl Traffic {
    /// Adds `other`.
    pub(super) fn add(&mut self, other: Self) {
        for (sum, more) in self.requests.iter_mut().zip(other.requests) {
            *sum += more;
        }
        self.opened += other.opened;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }

    /// Requests sent, by API name; APIs that were not used are left out.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.requests).filter(|(_, count)| *count > 0)
    }
}

/// The versions a broker offers, sorted by API key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offered(Vec<(i16, i16, i16)>);

impl Offered {
    pub(super) fn new(answer: &ApiVersionsResponse) -> Self {
        let keys = answer.api_keys.iter();
        let mut all: Vec<_> = keys.map(|k| (k.api_key, k.min_version, k.max_version)).collect();
        all.sort_unstable();
        Self(all)
    }

    fn range(&self, key: i16) -> Option<VersionRange> {
        let at = self.0.binary_search_by_key(&key, |(key, ..)| *key).ok()?;
        let (_, min, max) = self.0[at];
        Some(VersionRange { min, max })
    }

    /// Whether the broker offers the API in any version.
    pub(super) fn knows(&self, key: i16) -> bool {
        self.range(key).is_some()
    }

    /// The newest version that the broker offers and the codec can both encode and decode.
    pub(super) fn choose<R: Call>(&self) -> Result<i16, ClientError> {
        let spoken = R::VERSIONS.intersect(&<R::Response as Message>::VERSIONS);
        let offered = self.range(R::KEY);
        let shared = offered.map(|range| range.intersect(&spoken)).filter(|r| !r.is_empty());
        shared.map(|range| range.max).ok_or_else(|| ClientError::Unsupported {
            api: R::NAME,
            offered: offered.map_or_else(|| "no version".to_owned(), |r| format!("v{r}")),
            spoken: format!("v{spoken}"),
        })
    }
}

/// An open, negotiated connection.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    client_id: StrBytes,
    offered: Offered,
    correlation: i32,
    outbox: BytesMut,
    inbox: BytesMut,
    frame_bytes_max: usize,
    traffic: Traffic,
    /// Whether it was opened in an earlier cycle, so that the broker may have closed it since.
    pub(super) reused: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Connects to `endpoint` and learns which versions the broker offers.
    ///
    /// # Errors
    /// See [`ClientError`]; there is no deadline inside.
    pub(super) async fn open<N: Net<Stream = S>>(
        net: &N,
        endpoint: &Endpoint,
        client_id: StrBytes,
        frame_bytes_max: usize,
    ) -> Result<Self, ClientError> {
        let stream = net.connect(endpoint).await.map_err(|e| ClientError::Connect(e.into()))?;
        let mut connection = Self {
            stream,
            client_id,
            offered: Offered::default(),
            correlation: 0,
            outbox: BytesMut::new(),
            inbox: BytesMut::new(),
            frame_bytes_max,
            traffic: Traffic { opened: 1, ..Traffic::default() },
            reused: false,
        };
        connection.negotiate().await?;
        Ok(connection)
    }

    /// KIP-511: ask in v3; a broker that does not know v3 says so in a layout of its own (Kafka
    /// answers in v0's, librdkafka's mock in neither), of which only the code is common ground.
    async fn negotiate(&mut self) -> Result<(), ClientError> {
        let api = ApiVersionsRequest::NAME;
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("shakedown"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let mut version = 3;
        let mut frame = self.exchange(&request, version).await?;
        let refused = ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes();
        if frame.get(..2) == Some(&refused[..]) {
            version = 0;
            frame = self.exchange(&ApiVersionsRequest::default(), version).await?;
        }
        let answer = decode::<ApiVersionsRequest>(frame, version)?;
        ErrorCode(answer.error_code).check(api)?;
        self.offered = Offered::new(&answer);
        Ok(())
    }

    /// The versions the broker offers.
    pub(super) fn offered(&self) -> &Offered {
        &self.offered
    }

    /// What went over the connection since the last call.
    pub(super) fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.traffic)
    }

    /// Sends what `make` makes for the negotiated version and waits for the answer.
    ///
    /// # Errors
    /// See [`ClientError`]; unless [`ClientError::keeps_connection`], drop the connection.
    pub(super) async fn call<R: Call + Send + Sync>(
        &mut self,
        make: impl Fn(i16) -> R + Send + Sync,
    ) -> Result<R::Response, ClientError> {
        let version = self.offered.choose::<R>()?;
        let request = make(version);
        let frame = self.exchange(&request, version).await?;
        decode::<R>(frame, version)
    }

    /// Sends one request and returns the body of its answer, header removed.
    async fn exchange<R: Call + Sync>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<Bytes, ClientError> {
        self.encode(request, version)?;
        let lost = |error: std::io::Error| ClientError::Lost { api: R::NAME, cause: error.into() };
        self.stream.write_all(&self.outbox).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)?;
        self.traffic.requests[R::INDEX] += 1;
        self.traffic.bytes_out += self.outbox.len() as u64;

        let mut frame = self.read_frame(R::NAME, version).await?;
        let got = frame.get_i32();
        if got != self.correlation {
            return Err(ClientError::Correlation { api: R::NAME, expected: self.correlation, got });
        }
        // Response header v1 is the correlation id and tags; nobody defines any yet.
        if <R::Response as HeaderVersion>::header_version(version) >= 1 {
            skip_tags(&mut frame).ok_or_else(|| ClientError::Malformed {
                api: R::NAME,
                version,
                reason: "response header's tags point outside the frame".to_owned(),
            })?;
        }
        Ok(frame)
    }

    fn encode<R: Call>(&mut self, request: &R, version: i16) -> Result<(), ClientError> {
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(self.client_id.clone()));
        self.outbox.clear();
        self.outbox.put_i32(0);
        let encoded = header
            .encode(&mut self.outbox, R::header_version(version))
            .and_then(|()| request.encode(&mut self.outbox, version));
        encoded.map_err(|error| ClientError::Encode {
            api: R::NAME,
            version,
            reason: error.to_string(),
        })?;
        let length = i32::try_from(self.outbox.len() - 4).map_err(|_| ClientError::Encode {
            api: R::NAME,
            version,
            reason: "request of 2 GiB or more".to_owned(),
        })?;
        self.outbox[..4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    async fn read_frame(&mut self, api: &'static str, version: i16) -> Result<Bytes, ClientError> {
        self.fill(4, true, api).await?;
        let length = self.inbox.get_i32();
        // A correlation id is the least an answer holds.
        let length = usize::try_from(length).ok().filter(|n| *n >= 4).ok_or_else(|| {
            let reason = format!("frame of {length} bytes");
            ClientError::Malformed { api, version, reason }
        })?;
        if length > self.frame_bytes_max {
            let limit = self.frame_bytes_max;
            return Err(ClientError::Oversized { api, bytes: length, limit });
        }
        self.fill(length, false, api).await?;
        self.traffic.bytes_in += 4 + length as u64;
        Ok(self.inbox.split_to(length).freeze())
    }

    /// Reads until the inbox holds `bytes`; `between` frames the broker may close in good order.
    async fn fill(
        &mut self,
        bytes: usize,
        between: bool,
        api: &'static str,
    ) -> Result<(), ClientError> {
        while self.inbox.len() < bytes {
            let wanted = bytes - self.inbox.len();
            self.inbox.reserve(wanted.clamp(*CHUNK_BYTES.start(), *CHUNK_BYTES.end()));
            let read = self.stream.read_buf(&mut self.inbox).await;
            match read.map_err(|e| ClientError::Lost { api, cause: e.into() })? {
                0 if between && self.inbox.is_empty() => {
                    let cause = IoFailure {
                        kind: std::io::ErrorKind::UnexpectedEof,
                        text: "closed by the broker".to_owned(),
                    };
                    return Err(ClientError::Lost { api, cause });
                }
                0 => {
                    let got = self.inbox.len();
                    return Err(ClientError::Truncated { api, expected: bytes, got });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Checks and decodes the body of an answer.
pub(super) fn decode<R: Call>(mut body: Bytes, version: i16) -> Result<R::Response, ClientError> {
    let malformed = |reason: String| ClientError::Malformed { api: R::NAME, version, reason };
    R::SHAPE.check(&body, version).map_err(|misfit| malformed(misfit.to_string()))?;
    let answer = R::Response::decode(&mut body, version);
    answer.map_err(|error| malformed(error.to_string()))
}
