namespace ConntrackPS.Diagnosis;

/// <summary>Sorts only the visible part of a long list.</summary>
internal static class PartialSort
{
    /// <summary>For fewer items than this, sorting is faster than partitioning.</summary>
    private const int Few = 24;

    /// <summary>If there are this many times more items than places, a heap is faster than partitioning.</summary>
    private const int Many = 16;

    /// <summary>Sorts the items of a window, as a full sort would. All other items are before or after the window in any order. Needs about
    /// one comparison per item, wherever the window is.</summary>
    /// <param name="items">The items. They are reordered.</param>
    /// <param name="start">The first index of the window.</param>
    /// <param name="length">The number of items in the window. Indexes after the end are ignored.</param>
    /// <param name="order">Compares two items. Equal items may come in any order.</param>
    public static void Window<T, TOrder>(Span<T> items, int start, int length, TOrder order)
        where TOrder : IComparer<T>
    {
        start = Math.Clamp(start, 0, items.Length);
        length = Math.Clamp(length, 0, items.Length - start);
        if (length == 0)
            return;
        Place(items, start, order);
        Span<T> rest = items[start..];
        if (length <= rest.Length / Many)
            PlaceFew(rest, length, order);
        else if (length < rest.Length)
            Place(rest, length, order);
        rest[..length].Sort(order);
    }

    /// <summary>Moves the first few items before all others, with about one comparison for each of the others. A heap holds the best items
    /// so far, with the worst of them on top.</summary>
    private static void PlaceFew<T, TOrder>(Span<T> items, int count, TOrder order)
        where TOrder : IComparer<T>
    {
        Span<T> heap = items[..count];
        for (int i = count / 2 - 1; i >= 0; i--)
            SiftDown(heap, i, order);
        for (int i = count; i < items.Length; i++)
        {
            if (order.Compare(items[i], heap[0]) >= 0)
                continue;
            (items[i], heap[0]) = (heap[0], items[i]);
            SiftDown(heap, 0, order);
        }
    }

    private static void SiftDown<T, TOrder>(Span<T> heap, int place, TOrder order)
        where TOrder : IComparer<T>
    {
        while (2 * place + 1 < heap.Length)
        {
            int child = 2 * place + 1;
            if (child + 1 < heap.Length && order.Compare(heap[child], heap[child + 1]) < 0)
                child++;
            if (order.Compare(heap[place], heap[child]) >= 0)
                return;
            (heap[place], heap[child]) = (heap[child], heap[place]);
            place = child;
        }
    }

    /// <summary>Moves all items that belong before an index there (quickselect, with the median of three as pivot).</summary>
    private static void Place<T, TOrder>(Span<T> items, int place, TOrder order)
        where TOrder : IComparer<T>
    {
        // Bad pivots would need quadratic time. After this many partitions it sorts instead, which never does.
        int partitions = 2 * System.Numerics.BitOperations.Log2((uint)items.Length + 1) + 8;
        while (items.Length > Few && partitions-- > 0)
        {
            if (place == 0)
                return;

            int split = Partition(items, order);
            if (place <= split)
            {
                items = items[..(split + 1)];
            }
            else
            {
                items = items[(split + 1)..];
                place -= split + 1;
            }
        }

        items.Sort(order);
    }

    /// <summary>Hoare's partition.</summary>
    /// <returns>The last index of the lower part. At least one item is after it.</returns>
    private static int Partition<T, TOrder>(Span<T> items, TOrder order)
        where TOrder : IComparer<T>
    {
        T pivot = MiddleOf(items[0], items[items.Length / 2], items[^1], order);
        int low = -1, high = items.Length;
        while (true)
        {
            do
                low++;
            while (order.Compare(items[low], pivot) < 0);
            do
                high--;
            while (order.Compare(items[high], pivot) > 0);
            if (low >= high)
                return Math.Min(high, items.Length - 2);
            (items[low], items[high]) = (items[high], items[low]);
        }
    }

    private static T MiddleOf<T, TOrder>(T first, T second, T third, TOrder order)
        where TOrder : IComparer<T>
    {
        if (order.Compare(first, second) > 0)
            (first, second) = (second, first);
        if (order.Compare(second, third) <= 0)
            return second;
        return order.Compare(first, third) > 0 ? first : third;
    }
}
