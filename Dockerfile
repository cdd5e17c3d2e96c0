FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
# Without cgo the binary is static. The files of the store are the same with and without.
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" \
    -o /out/selfsame ./cmd/selfsame && mkdir /out/home

# Certificates, time zones, a user, and a busybox for health checks.
FROM gcr.io/distroless/static-debian12:debug-nonroot
COPY --from=build /out/selfsame /usr/local/bin/selfsame
# A volume mounted here belongs to the user as this directory does.
COPY --from=build --chown=65532:65532 /out/home /var/lib/selfsame
WORKDIR /var/lib/selfsame
VOLUME /var/lib/selfsame
ENTRYPOINT ["/usr/local/bin/selfsame"]
CMD ["--help"]
