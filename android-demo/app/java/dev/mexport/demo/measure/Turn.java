package dev.mexport.demo.measure;

import java.util.Map;

/**
 * What one turn of one model gave.
 *
 * @param engine name and version
 * @param delegated nodes that XNNPACK computes, -1 where there is no such thing
 * @param peakBytes peak resident memory of the process that the engine lives in; 0 where it is not known
 * @param cores processor number to how often the engine was seen on it
 */
record Turn(String engine, int delegated, double loadMs, double firstMs, double[] ms, long peakBytes, Map<Integer, Integer> cores) {}
